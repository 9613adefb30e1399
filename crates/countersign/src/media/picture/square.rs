//! The last steps, which are the same for all formats: crop the decoded picture to its middle, scale it, convert it to
//! sRGB, turn it and encode it.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::colour::{Channels, Colours};
use super::exif::Orientation;
use super::{Decoded, InvalidPicture, SIDE};

const QUALITY: u8 = 85;

/// Returns the largest square in the middle, upright, as a JPEG.
pub(super) fn finish(decoded: Decoded, colours: &Colours) -> Result<Vec<u8>, InvalidPicture> {
    let (channels, orientation) = (decoded.channels, decoded.orientation);
    let rgb = colours.to_srgb(channels, scaled(decoded)?);
    encode(&turned(rgb, orientation))
}

/// Scales the largest square in the middle to [`SIDE`] by [`SIDE`] with a three-lobed Lanczos filter.
fn scaled(decoded: Decoded) -> Result<Vec<u8>, InvalidPicture> {
    let Decoded { width, height, channels, pixels, .. } = decoded;
    let side = f64::from(width.min(height));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).crop(
        (f64::from(width) - side) / 2.0,
        (f64::from(height) - side) / 2.0,
        side,
        side,
    );
    let (pixel, options) = match channels {
        Channels::Grey => (PixelType::U8, options),
        Channels::Rgb => (PixelType::U8x3, options),
        // The fourth channel is an ink like the others.
        Channels::Inks => (PixelType::U8x4, options.use_alpha(false)),
    };
    let source = ImageRef::new(width, height, &pixels, pixel).map_err(InvalidPicture::broken)?;
    let mut square = Image::new(SIDE, SIDE, pixel);
    Resizer::new().resize(&source, &mut square, &options).map_err(InvalidPicture::broken)?;
    Ok(square.into_vec())
}

/// Turns the finished square. The middle square is the same before and after turning, so only the small one is turned.
fn turned(stored: Vec<u8>, orientation: Orientation) -> Vec<u8> {
    if orientation == Orientation::AsStored {
        return stored;
    }
    let side = SIDE as usize;
    let mut turned = Vec::with_capacity(stored.len());
    for y in 0..side {
        for x in 0..side {
            let (stored_x, stored_y) = orientation.stored_at(x, y, side - 1);
            let at = (stored_y * side + stored_x) * 3;
            turned.extend_from_slice(&stored[at..at + 3]);
        }
    }
    turned
}

fn encode(rgb: &[u8]) -> Result<Vec<u8>, InvalidPicture> {
    const SIDE_U16: u16 = 300;
    const { assert!(SIDE_U16 as u32 == SIDE) };
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, QUALITY);
    // Half the colour resolution in each direction, like nearly every camera: a third fewer bytes.
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.set_optimized_huffman_tables(true);
    encoder.encode(rgb, SIDE_U16, SIDE_U16, jpeg_encoder::ColorType::Rgb).map_err(InvalidPicture::broken)?;
    Ok(file)
}
