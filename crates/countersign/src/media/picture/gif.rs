//! GIF: the whole first frame, on white. Other frames are ignored.

use gif::{ColorOutput, DecodeOptions, Decoder, MemoryLimit};

use super::colour::Channels;
use super::exif::Orientation;
use super::shrink::Shrink;
use super::{Deadline, Decoded, InvalidPicture, PIXELS_MAX, check_dimensions};

/// A decoder, and the width and height of the screen.
type Opened<'b> = (Decoder<&'b [u8]>, (u32, u32));

/// Opens a file at its first frame, and returns width and height of the screen. A screen too small for the frame is
/// enlarged, as browsers do.
fn open(bytes: &[u8]) -> Result<Opened<'_>, InvalidPicture> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    if let Some(limit) = std::num::NonZeroU64::new(PIXELS_MAX) {
        options.set_memory_limit(MemoryLimit::Bytes(limit));
    }
    let mut decoder = options.read_info(bytes).map_err(InvalidPicture::broken)?;
    let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    // An empty screen grows too.
    check_dimensions(width.max(1), height.max(1), PIXELS_MAX)?;
    let frame = decoder.next_frame_info().map_err(InvalidPicture::broken)?;
    let frame = frame.ok_or_else(|| InvalidPicture::broken("no frame"))?;
    check_dimensions(frame.width.into(), frame.height.into(), PIXELS_MAX)?;
    let width = width.max(u32::from(frame.left) + u32::from(frame.width));
    let height = height.max(u32::from(frame.top) + u32::from(frame.height));
    check_dimensions(width, height, PIXELS_MAX)?;
    Ok((decoder, (width, height)))
}

/// Returns the memory for decoding, in bytes: one for each pixel, and the reduced picture.
pub(super) fn memory_bytes(bytes: &[u8]) -> Result<u64, InvalidPicture> {
    let (decoder, (width, height)) = open(bytes)?;
    Ok(decoder.buffer_size() as u64 + Shrink::memory_bytes(width, height) + bytes.len() as u64)
}

pub(super) fn decode(bytes: &[u8], deadline: &Deadline) -> Result<Decoded, InvalidPicture> {
    let (mut decoder, (width, height)) = open(bytes)?;
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(InvalidPicture::broken)?;
    let palette = decoder.palette().map_err(InvalidPicture::broken)?;
    let frame = decoder.current_frame_info().ok_or_else(|| InvalidPicture::broken("no frame"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let frame_width = usize::from(frame.width);
    let white = [u8::MAX; 3];
    // An index outside the palette is white too.
    let colour = |index: u8| {
        let at = usize::from(index) * 3;
        let found = palette.get(at..at + 3).filter(|_| frame.transparent != Some(index));
        found.map_or(white, |found| [found[0], found[1], found[2]])
    };
    let colours: Vec<[u8; 3]> = (0..=u8::MAX).map(colour).collect();

    let mut shrink = Shrink::new(width, height);
    let mut row = vec![u8::MAX; width as usize * 3];
    for y in 0..height as usize {
        deadline.check()?;
        row.fill(u8::MAX);
        let line = y.checked_sub(top).and_then(|line| indices.chunks_exact(frame_width).nth(line));
        for (x, index) in line.into_iter().flatten().enumerate() {
            row[(left + x) * 3..(left + x + 1) * 3].copy_from_slice(&colours[usize::from(*index)]);
        }
        shrink.push(&row);
    }
    let (width, height, rgb) = shrink.finish(width);
    Ok(Decoded { width, height, channels: Channels::Rgb, pixels: rgb, orientation: Orientation::AsStored })
}
