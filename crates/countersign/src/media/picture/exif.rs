//! Orientation of a picture: the tag `Orientation` of Exif (version 2.32, section 4.6.4). No other tag is read.

/// The transformation of the stored pixels, as numbered by Exif.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Orientation {
    #[default]
    AsStored,
    FlippedLeftRight,
    HalfTurn,
    FlippedUpDown,
    Transposed,
    QuarterTurn,
    Transversed,
    ThreeQuarterTurn,
}

impl Orientation {
    fn of_number(number: u16) -> Self {
        match number {
            2 => Self::FlippedLeftRight,
            3 => Self::HalfTurn,
            4 => Self::FlippedUpDown,
            5 => Self::Transposed,
            6 => Self::QuarterTurn,
            7 => Self::Transversed,
            8 => Self::ThreeQuarterTurn,
            _ => Self::AsStored,
        }
    }

    /// Reads the TIFF structure of Exif data, with or without a leading `Exif\0\0`. Invalid data leave the picture as
    /// stored.
    pub(super) fn of_exif(data: &[u8]) -> Self {
        orientation(data.strip_prefix(b"Exif\0\0").unwrap_or(data)).map_or(Self::AsStored, Self::of_number)
    }

    /// Returns where the pixel at `x`, `y` of a square is stored; `last` is the highest coordinate.
    pub(super) fn stored_at(self, x: usize, y: usize, last: usize) -> (usize, usize) {
        match self {
            Self::AsStored => (x, y),
            Self::FlippedLeftRight => (last - x, y),
            Self::HalfTurn => (last - x, last - y),
            Self::FlippedUpDown => (x, last - y),
            Self::Transposed => (y, x),
            Self::QuarterTurn => (y, last - x),
            Self::Transversed => (last - y, last - x),
            Self::ThreeQuarterTurn => (last - y, x),
        }
    }
}

/// Returns the tag's value in the first directory.
fn orientation(tiff: &[u8]) -> Option<u16> {
    const TAG: u16 = 0x0112;
    const SHORT: u16 = 3;
    const ENTRY_BYTES: usize = 12;

    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes: [u8; 4] = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    (0..entries)
        .map_while(|index| {
            let entry = directory.checked_add(2 + index * ENTRY_BYTES)?;
            Some((short(entry)?, short(entry + 2)?, short(entry + 8)?))
        })
        .find_map(|(tag, kind, value)| (tag == TAG && kind == SHORT).then_some(value))
}
