//! JPEG, decoded at a half, a quarter or an eighth of its size if that leaves enough pixels, so that a photograph of 50
//! megapixels takes the memory of a small one. Its markers are read here before the decoder sees them.

use jpeg_decoder::{ColorTransform, PixelFormat};

use super::colour::{Channels, Colours};
use super::exif::Orientation;
use super::{Deadline, Decoded, InvalidPicture, JPEG_PIXELS_MAX, SHORTER_SIDE_MIN, Timed, check_dimensions};

/// Maximum number of scans. Cameras and editors write up to some twenty; each is a pass over the whole picture.
const SCANS_MAX: u32 = 100;
const BLOCK: u32 = 8;

/// What the markers of a JPEG (ITU-T T.81, annex B) declare.
pub(super) struct Header {
    width: u16,
    height: u16,
    coding: Coding,
    /// Horizontal and vertical sampling factors.
    components: Vec<(u32, u32)>,
    /// Set if the decoder would guess the colour model wrong.
    transform: Option<ColorTransform>,
    file_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Sequential,
    /// All coefficients are kept until the last scan.
    Progressive,
}

impl Header {
    /// Returns the factor by which the decoder reduces the picture.
    fn factor(&self) -> u32 {
        let shorter = u32::from(self.width.min(self.height));
        [8, 4, 2].into_iter().find(|factor| shorter / factor >= SHORTER_SIDE_MIN).unwrap_or(1)
    }

    /// Returns the blocks of each component in a row of units, and the number of such rows.
    fn blocks(&self) -> (Vec<u64>, u64) {
        let widest = self.components.iter().map(|(horizontal, _)| *horizontal).max().unwrap_or(1);
        let highest = self.components.iter().map(|(_, vertical)| *vertical).max().unwrap_or(1);
        let units_across = u64::from(u32::from(self.width).div_ceil(BLOCK * widest));
        let units_down = u64::from(u32::from(self.height).div_ceil(BLOCK * highest));
        let in_a_row = |(horizontal, vertical): &(u32, u32)| units_across * u64::from(horizontal * vertical);
        (self.components.iter().map(in_a_row).collect(), units_down)
    }

    /// Whether the file is large enough for its dimensions. Each block takes at least one bit in the first scan of a
    /// progressive picture, and two in a sequential one: the codes of its mean and of the end of its other values. With
    /// fewer, most of the picture is missing.
    fn has_bytes_for_its_size(&self) -> bool {
        let (rows, units_down) = self.blocks();
        let bits = match self.coding {
            Coding::Sequential => 2,
            Coding::Progressive => 1,
        };
        rows.iter().sum::<u64>() * units_down * bits <= self.file_bytes * 8
    }

    /// Returns the memory for decoding, in bytes.
    pub(super) fn memory_bytes(&self) -> u64 {
        let factor = self.factor();
        let scaled_block = u64::from(BLOCK / factor);
        let (rows, units_down) = self.blocks();
        let mut bytes = 2 * self.file_bytes;
        for row_blocks in rows {
            let blocks = row_blocks * units_down;
            bytes += blocks * scaled_block * scaled_block + row_blocks * 128 * 3;
            if self.coding == Coding::Progressive {
                bytes += blocks * 128;
            }
        }
        let pixels =
            u64::from(u32::from(self.width).div_ceil(factor)) * u64::from(u32::from(self.height).div_ceil(factor));
        bytes + pixels * self.components.len() as u64
    }
}

/// The colour model that JFIF and Adobe segments declare for three components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    Undeclared,
    /// Brightness and two differences, as always in JFIF.
    Jfif,
    /// Red, green and blue, by Adobe's segment, which the decoder ignores if the components are numbered.
    Rgb,
}

impl Model {
    fn after(self, segment: &[u8]) -> Self {
        /// Offset of the value, after the name and after version and flags of two bytes each.
        const ADOBE_TRANSFORM: usize = 11;
        if segment.starts_with(b"JFIF\0") {
            Self::Jfif
        } else if self == Self::Undeclared && segment.starts_with(b"Adobe") && segment.get(ADOBE_TRANSFORM) == Some(&0)
        {
            Self::Rgb
        } else {
            self
        }
    }
}

/// Returns the profile, which can span many segments before the frame.
pub(super) fn colours(bytes: &[u8]) -> Colours {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    let profile = decoder.read_info().ok().and_then(|()| decoder.icc_profile());
    Colours::of_profile(profile)
}

/// Walks over the markers without decoding.
pub(super) fn inspect(bytes: &[u8]) -> Result<Header, InvalidPicture> {
    const START_OF_SCAN: u8 = 0xda;
    const END_OF_IMAGE: u8 = 0xd9;

    let cut_off = || InvalidPicture::broken("cut off");
    let mut header: Option<Header> = None;
    let mut scans = 0;
    let mut model = Model::Undeclared;
    let mut at = 2;
    loop {
        // There may be fill bytes between segments. Within a scan, 0xff before 0 or a restart code is not a marker.
        let found = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)).ok_or_else(cut_off)?;
        at += found + 1;
        let marker = *bytes.get(at).ok_or_else(cut_off)?;
        match marker {
            // The next byte may start the marker.
            0xff => continue,
            0x00 | 0x01 | 0xd0..=0xd8 => {
                at += 1;
                continue;
            }
            END_OF_IMAGE => break,
            _ => {}
        }
        let length = match bytes.get(at + 1..at + 3) {
            Some(length) => usize::from(u16::from_be_bytes([length[0], length[1]])),
            None => return Err(cut_off()),
        };
        let segment = bytes.get(at + 3..at + 1 + length.max(2)).ok_or_else(cut_off)?;
        match marker {
            0xc0..=0xc2 if header.is_some() => return Err(InvalidPicture::broken("two frames")),
            0xc0..=0xc2 => header = Some(frame(marker, segment, bytes.len() as u64)?),
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(InvalidPicture::broken("lossless, hierarchical or arithmetic coding"));
            }
            START_OF_SCAN => scans += 1,
            0xe0 | 0xee => model = model.after(segment),
            _ => {}
        }
        if scans > SCANS_MAX {
            return Err(InvalidPicture::broken("too many scans"));
        }
        at += 1 + length.max(2);
    }
    let mut header = header.filter(|_| scans > 0).ok_or_else(|| InvalidPicture::broken("no frame or no scan"))?;
    header.transform = (model == Model::Rgb && header.components.len() == 3).then_some(ColorTransform::RGB);
    if !header.has_bytes_for_its_size() {
        return Err(InvalidPicture::broken("too few bytes for its size"));
    }
    Ok(header)
}

/// Reads a frame header (T.81, section B.2.2).
fn frame(marker: u8, segment: &[u8], file_bytes: u64) -> Result<Header, InvalidPicture> {
    let [precision, h1, h2, w1, w2, count, components @ ..] = segment else {
        return Err(InvalidPicture::broken("no frame header"));
    };
    if *precision != 8 {
        return Err(InvalidPicture::broken("not 8 bits a sample"));
    }
    let (width, height) = (u16::from_be_bytes([*w1, *w2]), u16::from_be_bytes([*h1, *h2]));
    check_dimensions(width.into(), height.into(), JPEG_PIXELS_MAX)?;
    let components: Vec<(u32, u32)> =
        components.chunks_exact(3).map(|c| (u32::from(c[1] >> 4), u32::from(c[1] & 0x0f))).collect();
    let in_range = |factor: &u32| (1..=4).contains(factor);
    if components.len() != usize::from(*count)
        || !matches!(components.len(), 1 | 3 | 4)
        || !components.iter().all(|(horizontal, vertical)| in_range(horizontal) && in_range(vertical))
    {
        return Err(InvalidPicture::broken("components"));
    }
    let coding = if marker == 0xc2 { Coding::Progressive } else { Coding::Sequential };
    Ok(Header { width, height, coding, components, transform: None, file_bytes })
}

pub(super) fn decode(bytes: &[u8], deadline: &Deadline) -> Result<Decoded, InvalidPicture> {
    let header = inspect(bytes)?;
    let mut decoder = jpeg_decoder::Decoder::new(Timed::new(bytes, deadline));
    decoder.read_info().map_err(InvalidPicture::broken)?;
    // The decoder must see the size that was inspected.
    if decoder.info().is_none_or(|info| (info.width, info.height) != (header.width, header.height)) {
        return Err(InvalidPicture::broken("two sizes"));
    }
    if let Some(transform) = header.transform {
        decoder.set_color_transform(transform);
    }
    let factor = u16::try_from(header.factor()).unwrap_or(1);
    decoder.scale(header.width.div_ceil(factor), header.height.div_ceil(factor)).map_err(InvalidPicture::broken)?;
    let pixels = decoder.decode().map_err(InvalidPicture::broken)?;
    let info = decoder.info().ok_or_else(|| InvalidPicture::broken("no header"))?;
    let channels = match info.pixel_format {
        PixelFormat::RGB24 => Channels::Rgb,
        PixelFormat::L8 => Channels::Grey,
        // The decoder takes all inks for inverted, as Adobe stores them, and so do browsers.
        PixelFormat::CMYK32 => Channels::Inks,
        PixelFormat::L16 => return Err(InvalidPicture::broken("16 bits a sample")),
    };
    let orientation = decoder.exif_data().map_or(Orientation::AsStored, Orientation::of_exif);
    Ok(Decoded { width: info.width.into(), height: info.height.into(), channels, pixels, orientation })
}
