//! Decides how a GIF is decoded: its first frame, on white; the others are never looked at.

use gif::{ColorOutput, DecodeOptions, Decoder, MemoryLimit};

use super::exif::Orientation;
use super::shrink::Shrink;
use super::{Deadline, Decoded, InvalidPicture, PIXELS_MAX, check_dimensions};

/// The decoder in front of the first frame, and the size of that.
fn open(bytes: &[u8]) -> Result<(Decoder<&[u8]>, u64), InvalidPicture> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    if let Some(limit) = std::num::NonZeroU64::new(PIXELS_MAX) {
        options.set_memory_limit(MemoryLimit::Bytes(limit));
    }
    let mut decoder = options.read_info(bytes).map_err(InvalidPicture::broken)?;
    check_dimensions(decoder.width().into(), decoder.height().into(), PIXELS_MAX)?;
    let frame = decoder.next_frame_info().map_err(InvalidPicture::broken)?;
    let frame = frame.ok_or_else(|| InvalidPicture::broken("no frame"))?;
    let pixels = check_dimensions(frame.width.into(), frame.height.into(), PIXELS_MAX)?;
    Ok((decoder, pixels))
}

/// Memory for decoding, in bytes: one for each pixel, and the smaller picture.
pub(super) fn memory_bytes(bytes: &[u8]) -> Result<u64, InvalidPicture> {
    let (decoder, pixels) = open(bytes)?;
    Ok(pixels + Shrink::memory_bytes(decoder.width().into(), decoder.height().into()) + bytes.len() as u64)
}

pub(super) fn decode(bytes: &[u8], deadline: &Deadline) -> Result<Decoded, InvalidPicture> {
    let (mut decoder, _) = open(bytes)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(InvalidPicture::broken)?;
    let palette = decoder.palette().map_err(InvalidPicture::broken)?;
    let frame = decoder.current_frame_info().ok_or_else(|| InvalidPicture::broken("no frame"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let frame_width = usize::from(frame.width);
    let white = [u8::MAX; 3];
    // An index that the palette does not have is white too.
    let colour = |index: u8| {
        let at = usize::from(index) * 3;
        let found = palette.get(at..at + 3).filter(|_| frame.transparent != Some(index));
        found.map_or(white, |found| [found[0], found[1], found[2]])
    };
    let colours: Vec<[u8; 3]> = (0..=u8::MAX).map(colour).collect();

    let mut shrink = Shrink::new(decoder.width().into(), decoder.height().into());
    let mut row = vec![u8::MAX; width * 3];
    for y in 0..height {
        deadline.check()?;
        row.fill(u8::MAX);
        let line = y.checked_sub(top).and_then(|line| indices.chunks_exact(frame_width).nth(line));
        for (x, index) in line.into_iter().flatten().enumerate().take(width.saturating_sub(left)) {
            row[(left + x) * 3..(left + x + 1) * 3].copy_from_slice(&colours[usize::from(*index)]);
        }
        shrink.push(&row);
    }
    let (width, height, rgb) = shrink.finish(decoder.width().into());
    Ok(Decoded { width, height, rgb, orientation: Orientation::AsStored })
}
