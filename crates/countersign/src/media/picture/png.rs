//! PNG of any colour depth, decoded row by row and reduced meanwhile. Text in it is skipped.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits, ScaledFloat, Transformations};

use super::colour::{Channels, Colours, PROFILE_BYTES_MAX};
use super::exif::Orientation;
use super::shrink::Shrink;
use super::{Deadline, Decoded, InvalidPicture, PIXELS_MAX, check_dimensions, on_white};

/// Memory limit of the decoder for a row, for inflating and for the few chunks that are read, in bytes.
const LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// Memory for reading a profile, in addition to the profile itself, in bytes.
const PROFILE_LIMIT_BYTES: usize = 1024 * 1024;

type Reader<'b> = png::Reader<Cursor<&'b [u8]>>;

fn open(bytes: &[u8]) -> Result<Reader<'_>, InvalidPicture> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: LIMIT_BYTES });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(InvalidPicture::broken)?;
    // Twice the bytes take twice the time.
    let pixels_max = if header.bit_depth == BitDepth::Sixteen { PIXELS_MAX / 2 } else { PIXELS_MAX };
    check_dimensions(header.width, header.height, pixels_max)?;
    decoder.read_info().map_err(InvalidPicture::broken)
}

/// Returns the memory for decoding, in bytes: the whole picture only if it is interlaced.
pub(super) fn memory_bytes(bytes: &[u8]) -> Result<u64, InvalidPicture> {
    let reader = open(bytes)?;
    let info = reader.info();
    let whole =
        if info.interlaced { reader.output_buffer_size().ok_or(InvalidPicture::TooMuchMemory)? as u64 } else { 0 };
    Ok(LIMIT_BYTES as u64 + whole + Shrink::memory_bytes(info.width, info.height))
}

/// Returns the colours that the chunks declare, in their order of precedence (PNG, third edition, section 4.3). They
/// are read separately, so that errors in them do not keep the pixels from being read.
pub(super) fn colours(bytes: &[u8]) -> Colours {
    let limits = Limits { bytes: PROFILE_BYTES_MAX + PROFILE_LIMIT_BYTES };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    let Ok(reader) = decoder.read_info() else { return Colours::Srgb };
    let info = reader.info();
    let points = info.coding_independent_code_points.filter(|points| points.is_video_full_range_image);
    if let Some(colours) = points.and_then(|p| Colours::of_code_points(p.color_primaries, p.transfer_function)) {
        return colours;
    }
    if let Some(profile) = &info.icc_profile {
        return Colours::of_profile(Some(profile.to_vec()));
    }
    if info.srgb.is_some() {
        return Colours::Srgb;
    }
    let points =
        info.chrm_chunk.map(|at| [at.white, at.red, at.green, at.blue].map(|(x, y)| (x.into_value(), y.into_value())));
    Colours::of_gamma(info.gama_chunk.map(ScaledFloat::into_value), points)
}

pub(super) fn decode(bytes: &[u8], deadline: &Deadline) -> Result<Decoded, InvalidPicture> {
    let mut reader = open(bytes)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let orientation = reader.info().exif_metadata.as_deref().map_or(Orientation::AsStored, Orientation::of_exif);
    let colours = reader.output_color_type().0;
    let mut shrink = Shrink::new(width, height);
    let mut rgb = Vec::with_capacity(width as usize * 3);
    let mut take = |row: &[u8]| {
        to_rgb(colours, row, &mut rgb);
        shrink.push(&rgb);
    };
    if reader.info().interlaced {
        let mut whole = vec![0; reader.output_buffer_size().ok_or(InvalidPicture::TooMuchMemory)?];
        let frame = reader.next_frame(&mut whole).map_err(InvalidPicture::broken)?;
        for row in whole.chunks_exact(frame.line_size).take(height as usize) {
            take(row);
        }
    } else {
        for _ in 0..height {
            deadline.check()?;
            let row = reader.next_row().map_err(InvalidPicture::broken)?;
            take(row.ok_or_else(|| InvalidPicture::broken("rows are missing"))?.data());
        }
    }
    let (width, height, rgb) = shrink.finish(width);
    let (channels, pixels) = match colours {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => (Channels::Grey, rgb.into_iter().step_by(3).collect()),
        _ => (Channels::Rgb, rgb),
    };
    Ok(Decoded { width, height, channels, pixels, orientation })
}

fn to_rgb(colours: ColorType, row: &[u8], rgb: &mut Vec<u8>) {
    rgb.clear();
    match colours {
        ColorType::Rgb => rgb.extend_from_slice(row),
        ColorType::Grayscale | ColorType::Indexed => rgb.extend(row.iter().flat_map(|grey| [*grey; 3])),
        ColorType::GrayscaleAlpha => {
            rgb.extend(row.chunks_exact(2).flat_map(|pixel| [on_white(pixel[0], pixel[1]); 3]));
        }
        ColorType::Rgba => {
            rgb.extend(
                row.chunks_exact(4).flat_map(|p| [on_white(p[0], p[3]), on_white(p[1], p[3]), on_white(p[2], p[3])]),
            );
        }
    }
}
