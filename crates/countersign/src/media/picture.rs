//! From an upload to a profile picture: the bytes of a JPEG, PNG, GIF or WebP, recognised by what they are, become a square
//! JPEG of our own that has nothing of them but the colours. A room of its own, as it is the one that decodes hostile bytes.

mod colour;
mod exif;
mod gif;
mod jpeg;
mod png;
mod shrink;
mod square;
mod vp8l;
mod webp;

use std::io::{self, Read};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use self::colour::{Channels, Colours};
use self::exif::Orientation;

/// Width and height of the result.
pub(crate) const SIDE: u32 = 300;
/// A picture is made smaller while it is decoded, but not below this: twice the result leaves the rest to a good filter.
const SHORTER_SIDE_MIN: u32 = 2 * SIDE;
/// Width or height of a picture; also the most that WebP can have.
const DIMENSION_MAX: u32 = 16_384;
/// Width times height of a JPEG: more than any telephone's camera has that does not mean to impress.
const JPEG_PIXELS_MAX: u64 = 64_500_000;
/// Of the other formats, which cannot be decoded at a fraction of their size: a little more than a screen of 7,680 by 4,320.
/// Sixteen such pictures at once are done within two seconds on two cores.
const PIXELS_MAX: u64 = 33_500_000;
/// How long decoding one picture may take; some 20 times what a large photograph takes.
const DECODING_TIME_MAX: Duration = Duration::from_millis(1_200);
/// Memory that the resizing and encoding of any picture takes, in bytes.
const FINISHING_BYTES: u64 = 2 * 1024 * 1024;

/// Why bytes are no picture for us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPicture {
    /// None of the four formats.
    #[error("not a JPEG, PNG, GIF or WebP")]
    Format,
    /// One of them, but broken.
    #[error("broken: {0}")]
    Broken(String),
    /// More pixels than are decoded.
    #[error("too many pixels")]
    TooLarge,
    /// Decoding it would take more memory than one picture may have.
    #[error("needs too much memory")]
    TooDear,
    /// Decoding it took too long.
    #[error("took too long to decode")]
    TooSlow,
}

impl InvalidPicture {
    #[expect(clippy::needless_pass_by_value, reason = "so it goes into `map_err` as it is")]
    fn broken(error: impl ToString) -> Self {
        Self::Broken(error.to_string())
    }
}

/// The formats that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
}

impl Format {
    /// By the first bytes; what a file is called or said to be does not matter.
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }
}

/// Bytes whose header has been read: it is known what decoding them takes.
pub(crate) struct Candidate<'b> {
    bytes: &'b [u8],
    format: Format,
    colours: Colours,
    /// Upper bound of the memory that decoding takes beside the bytes themselves.
    memory_bytes: u64,
}

impl<'b> Candidate<'b> {
    /// Reads the header alone.
    pub(crate) fn inspect(bytes: &'b [u8]) -> Result<Self, InvalidPicture> {
        let format = Format::of(bytes).ok_or(InvalidPicture::Format)?;
        let (decoding_bytes, colours) = match format {
            Format::Jpeg => (jpeg::inspect(bytes)?.memory_bytes(), jpeg::colours(bytes)),
            Format::Png => (png::memory_bytes(bytes)?, png::colours(bytes)),
            Format::Gif => (gif::memory_bytes(bytes)?, Colours::Srgb),
            Format::WebP => (webp::memory_bytes(bytes)?, webp::colours(bytes)),
        };
        // What was decoded is gone when its colours are converted.
        let memory_bytes = decoding_bytes.max(colours.converting_bytes()) + colours.profile_bytes() + FINISHING_BYTES;
        Ok(Self { bytes, format, colours, memory_bytes })
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// The finished file: a JPEG of [`SIDE`] by [`SIDE`] pixels without metadata.
    pub(crate) fn prepare(self) -> Result<Vec<u8>, InvalidPicture> {
        let deadline = Deadline::after(DECODING_TIME_MAX);
        let decoded = match self.format {
            Format::Jpeg => jpeg::decode(self.bytes, &deadline),
            Format::Png => png::decode(self.bytes, &deadline),
            Format::Gif => gif::decode(self.bytes, &deadline),
            Format::WebP => webp::decode(self.bytes, &deadline),
        };
        // Whatever a decoder makes of being cut off, the time is the cause.
        let decoded = if deadline.is_over() { Err(InvalidPicture::TooSlow) } else { decoded }?;
        square::finish(decoded, &self.colours)
    }
}

/// A decoded picture, row by row.
struct Decoded {
    width: u32,
    height: u32,
    channels: Channels,
    pixels: Vec<u8>,
    orientation: Orientation,
}

/// Refuses dimensions that are not decoded; returns the number of pixels.
fn check_dimensions(width: u32, height: u32, pixels_max: u64) -> Result<u64, InvalidPicture> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(InvalidPicture::broken("no pixels"));
    }
    if width > DIMENSION_MAX || height > DIMENSION_MAX || pixels > pixels_max {
        return Err(InvalidPicture::TooLarge);
    }
    Ok(pixels)
}

/// A colour with an alpha channel, on white.
fn on_white(colour: u8, alpha: u8) -> u8 {
    let alpha = u16::from(alpha);
    let mixed = (u16::from(colour) * alpha + 255 * (255 - alpha) + 127) / 255;
    // A mean of two bytes, so it is one.
    u8::try_from(mixed).unwrap_or(u8::MAX)
}

/// When decoding has to be over: after so much of the thread's own time, so that a busy machine refuses no picture that an
/// idle one would take.
#[derive(Clone, Copy)]
struct Deadline(Duration);

impl Deadline {
    fn after(time: Duration) -> Self {
        Self(thread_time() + time)
    }

    fn is_over(&self) -> bool {
        thread_time() >= self.0
    }

    fn check(&self) -> Result<(), InvalidPicture> {
        if self.is_over() { Err(InvalidPicture::TooSlow) } else { Ok(()) }
    }
}

/// The processor time that this thread has had.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Bytes that cannot be read any more when the time is over: so decoders end that offer no way to stop them.
struct Timed<R> {
    inner: R,
    deadline: Deadline,
    reads: u32,
}

impl<R> Timed<R> {
    fn new(inner: R, deadline: &Deadline) -> Self {
        Self { inner, deadline: *deadline, reads: 0 }
    }

    fn tick(&mut self) -> io::Result<()> {
        /// Looking at the clock costs as much as reading some hundred bytes.
        const READS_PER_LOOK: u32 = 1_024;
        self.reads = self.reads.wrapping_add(1);
        if self.reads.is_multiple_of(READS_PER_LOOK) && self.deadline.is_over() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        Ok(())
    }
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tick()?;
        self.inner.read(buffer)
    }
}

#[cfg(test)]
mod tests;
