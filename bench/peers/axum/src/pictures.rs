//! Uploaded pictures: scaled, encoded as JPEG, and written to a folder.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageReader, ImageResult};
use uuid::Uuid;

const SIDE: u32 = 300;
const QUALITY: u8 = 85;

/// The picture, upright, square and small, as JPEG.
pub(crate) fn process(content: &[u8]) -> ImageResult<Vec<u8>> {
    let mut decoder = ImageReader::new(Cursor::new(content)).with_guessed_format()?.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    let image = image.resize_to_fill(SIDE, SIDE, FilterType::Lanczos3).into_rgb8();
    let mut output = Vec::new();
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut output, QUALITY))?;
    Ok(output)
}

/// Stores it under a new name, and returns the name.
pub(crate) async fn save(folder: &Path, jpeg: &[u8]) -> anyhow::Result<String> {
    let name = format!("{}.jpg", Uuid::new_v4().simple());
    tokio::fs::write(folder.join(&name), jpeg).await?;
    Ok(name)
}
