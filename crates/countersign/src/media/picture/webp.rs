//! WebP: the picture, or the first frame of an animation, on white.

use std::io::{self, BufRead, Cursor, Seek, SeekFrom};

use image_webp::WebPDecoder;

use super::colour::{Channels, Colours};
use super::exif::Orientation;
use super::{Deadline, Decoded, InvalidPicture, PIXELS_MAX, Timed, check_dimensions, on_white, vp8l};

type Reader<'b> = WebPDecoder<Timed<Cursor<&'b [u8]>>>;

fn open<'b>(bytes: &'b [u8], deadline: &Deadline) -> Result<Reader<'b>, InvalidPicture> {
    let decoder = WebPDecoder::new(Timed::new(Cursor::new(bytes), deadline)).map_err(InvalidPicture::broken)?;
    let (width, height) = decoder.dimensions();
    check_dimensions(width, height, PIXELS_MAX)?;
    Ok(decoder)
}

/// Returns the memory for decoding, in bytes: the planes or pixels of the decoder in addition to the result, and the
/// tables of prefix codes, of which a small file can have very many.
pub(super) fn memory_bytes(bytes: &[u8]) -> Result<u64, InvalidPicture> {
    let mut decoder = open(bytes, &Deadline::after(super::DECODING_TIME_MAX))?;
    let (width, height) = decoder.dimensions();
    let bytes_a_pixel = match (decoder.is_animated(), decoder.is_lossy(), decoder.has_alpha()) {
        (true, ..) => 14,
        (false, true, false) => 5,
        (false, true, true) => 12,
        (false, false, _) => 8,
    };
    let tables = vp8l::tables_bytes(bytes, (width, height))?;
    Ok(u64::from(width) * u64::from(height) * bytes_a_pixel + tables + 2 * bytes.len() as u64)
}

/// Returns the profile, if there is one.
pub(super) fn colours(bytes: &[u8]) -> Colours {
    let decoder = open(bytes, &Deadline::after(super::DECODING_TIME_MAX));
    Colours::of_profile(decoder.ok().and_then(|mut decoder| decoder.icc_profile().ok().flatten()))
}

pub(super) fn decode(bytes: &[u8], deadline: &Deadline) -> Result<Decoded, InvalidPicture> {
    let mut decoder = open(bytes, deadline)?;
    let (width, height) = decoder.dimensions();
    // Missing or unreadable Exif data leave the picture as it is stored.
    let exif = decoder.exif_metadata().ok().flatten();
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or(InvalidPicture::TooMuchMemory)?];
    if decoder.is_animated() {
        decoder.read_frame(&mut pixels).map_err(InvalidPicture::broken)?;
    } else {
        decoder.read_image(&mut pixels).map_err(InvalidPicture::broken)?;
    }
    if decoder.has_alpha() {
        flatten(&mut pixels);
    }
    Ok(Decoded {
        width,
        height,
        channels: Channels::Rgb,
        pixels,
        orientation: exif.as_deref().map_or(Orientation::AsStored, Orientation::of_exif),
    })
}

/// Replaces pixels with alpha by pixels on white, in place.
fn flatten(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 4;
    for index in 0..count {
        let alpha = pixels[index * 4 + 3];
        for channel in 0..3 {
            pixels[index * 3 + channel] = on_white(pixels[index * 4 + channel], alpha);
        }
    }
    pixels.truncate(count * 3);
}

impl BufRead for Timed<Cursor<&[u8]>> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        /// Small reads, so that the clock is checked often enough.
        const BYTES_MAX: usize = 64;
        self.tick()?;
        let rest = self.inner.fill_buf()?;
        Ok(&rest[..rest.len().min(BYTES_MAX)])
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}

impl Seek for Timed<Cursor<&[u8]>> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.inner.seek(position)
    }
}
