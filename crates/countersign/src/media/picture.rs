//! Conversion of an upload to a profile picture: a JPEG, PNG, GIF or WebP, recognised by its content, becomes a square
//! JPEG of our own that keeps nothing of the upload but the colours. It is a module of its own, because it decodes
//! hostile bytes.

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

/// Width and height of the result, in pixels.
pub(crate) const SIDE: u32 = 300;
/// Pictures are reduced while decoded, but not below this: twice the result leaves the rest to a good filter.
const SHORTER_SIDE_MIN: u32 = 2 * SIDE;
/// Maximum width or height; also the maximum of WebP.
const DIMENSION_MAX: u32 = 16_384;
/// Maximum width times height of a JPEG: more than ordinary phone cameras have.
const JPEG_PIXELS_MAX: u64 = 64_500_000;
/// Maximum width times height of the other formats, which cannot be decoded at reduced size: a little more than a
/// screen of 7,680 by 4,320. Sixteen such pictures at once take less than two seconds on two cores.
const PIXELS_MAX: u64 = 33_500_000;
/// Maximum CPU time to decode one picture; about 20 times what a large photograph takes.
const DECODING_TIME_MAX: Duration = Duration::from_millis(1_200);
/// Memory for resizing and encoding any picture, in bytes.
const FINISHING_BYTES: u64 = 2 * 1024 * 1024;

/// Why bytes are not a usable picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPicture {
    /// Not one of the four formats.
    #[error("not a JPEG, PNG, GIF or WebP")]
    Format,
    /// One of the formats, but broken.
    #[error("broken: {0}")]
    Broken(String),
    /// More pixels than allowed.
    #[error("too many pixels")]
    TooLarge,
    /// Decoding takes more memory than allowed.
    #[error("needs too much memory")]
    TooMuchMemory,
    /// Decoding took too long.
    #[error("took too long to decode")]
    TooSlow,
}

impl InvalidPicture {
    #[expect(clippy::needless_pass_by_value, reason = "so that `map_err` can take it directly")]
    fn broken(error: impl ToString) -> Self {
        Self::Broken(error.to_string())
    }
}

/// The accepted formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
}

impl Format {
    /// Recognises a format by its first bytes. File name and declared type do not matter.
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

/// An upload whose header has been read, so that the cost of decoding it is known.
pub(crate) struct Candidate<'b> {
    bytes: &'b [u8],
    format: Format,
    colours: Colours,
    /// Upper bound on the memory for decoding, in addition to the bytes themselves.
    memory_bytes: u64,
}

impl<'b> Candidate<'b> {
    /// Reads only the header.
    pub(crate) fn inspect(bytes: &'b [u8]) -> Result<Self, InvalidPicture> {
        let format = Format::of(bytes).ok_or(InvalidPicture::Format)?;
        let (decoding_bytes, colours) = match format {
            Format::Jpeg => (jpeg::inspect(bytes)?.memory_bytes(), jpeg::colours(bytes)),
            Format::Png => (png::memory_bytes(bytes)?, png::colours(bytes)),
            Format::Gif => (gif::memory_bytes(bytes)?, Colours::Srgb),
            Format::WebP => (webp::memory_bytes(bytes)?, webp::colours(bytes)),
        };
        // The decoder's memory is free again when colours are converted.
        let memory_bytes = decoding_bytes.max(colours.converting_bytes()) + colours.profile_bytes() + FINISHING_BYTES;
        Ok(Self { bytes, format, colours, memory_bytes })
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Returns the finished file: a JPEG of [`SIDE`] by [`SIDE`] pixels without metadata.
    pub(crate) fn prepare(self) -> Result<Vec<u8>, InvalidPicture> {
        let deadline = Deadline::after(DECODING_TIME_MAX);
        let decoded = match self.format {
            Format::Jpeg => jpeg::decode(self.bytes, &deadline),
            Format::Png => png::decode(self.bytes, &deadline),
            Format::Gif => gif::decode(self.bytes, &deadline),
            Format::WebP => webp::decode(self.bytes, &deadline),
        };
        // Whatever error a decoder returns when interrupted, the cause is the time.
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

/// Refuses dimensions above the limits; returns the number of pixels.
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

/// Blends a colour with an alpha channel onto white.
fn on_white(colour: u8, alpha: u8) -> u8 {
    let alpha = u16::from(alpha);
    let mixed = (u16::from(colour) * alpha + 255 * (255 - alpha) + 127) / 255;
    // A mean of two bytes fits in a byte.
    u8::try_from(mixed).unwrap_or(u8::MAX)
}

/// The end of the time for decoding. It is in CPU time of the thread, so that a busy machine refuses no picture that an
/// idle one would accept.
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

/// Returns the CPU time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// A reader that fails after the deadline. It ends decoders that offer no way to stop them.
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
        /// Reading the clock costs as much as reading some hundred bytes.
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
