//! Colour spaces: what the numbers of a picture mean, and their conversion to sRGB, the default without a profile. They
//! are separate from the decoders, because only the finished square is converted: it has few pixels, and resizing comes
//! first anyway.

use std::borrow::Cow;

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace, Layout,
    MatrixCoefficients, ParsingOptions, ToneReprCurve, TransferCharacteristics, TransformOptions, XyY,
};

/// Maximum size of a profile, in bytes; larger ones are ignored. Those of cameras and screens take a few thousand,
/// those of inks half a million.
pub(super) const PROFILE_BYTES_MAX: usize = 1024 * 1024;
/// Maximum number of tags in a profile; usual ones have some twenty. Every tag can refer to the same large table, which
/// is then read again for each.
const TAGS_MAX: u32 = 100;

/// The channels of a pixel, 8 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    Grey,
    Rgb,
    /// Cyan, magenta, yellow and black; 255 is full ink.
    Inks,
}

/// What a picture declares about its colours.
pub(super) enum Colours {
    /// They are sRGB, undeclared, or declared in a way that cannot be parsed.
    Srgb,
    /// An ICC profile, not parsed yet.
    Profile(Vec<u8>),
    /// Primaries and a curve.
    Described(Box<ColorProfile>),
}

impl Colours {
    pub(super) fn of_profile(profile: Option<Vec<u8>>) -> Self {
        profile.filter(|bytes| bytes.len() <= PROFILE_BYTES_MAX).map_or(Self::Srgb, Self::Profile)
    }

    /// Creates colours from code points of ITU-T H.273. Returns `None` for high dynamic range: how to show that on a
    /// screen is a matter of taste, and no two programs agree.
    pub(super) fn of_code_points(primaries: u8, transfer: u8) -> Option<Self> {
        let transfer_characteristics = TransferCharacteristics::try_from(transfer).ok()?;
        if is_of_high_range(transfer_characteristics) {
            return None;
        }
        let profile = ColorProfile::new_from_cicp(CicpProfile {
            color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
            transfer_characteristics,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        });
        profile.red_trc.is_some().then(|| Self::Described(Box::new(profile)))
    }

    /// Creates colours from the exponent that the light was encoded with, and the positions of white, red, green and
    /// blue in the CIE diagram of 1931. Missing or impossible values are those of sRGB.
    pub(super) fn of_gamma(gamma: Option<f32>, points: Option<[(f32, f32); 4]>) -> Self {
        const OF_SRGB: [(f32, f32); 4] = [(0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)];
        const NEARLY: f32 = 0.01;

        let is_srgb = |points: &[(f32, f32); 4]| {
            let mut pairs = points.iter().zip(&OF_SRGB);
            pairs.all(|(point, own)| (point.0 - own.0).abs() <= NEARLY && (point.1 - own.1).abs() <= NEARLY)
        };
        let points = points.filter(|points| can_be(points) && !is_srgb(points));
        // With the primaries of sRGB, programs write this exponent when they mean sRGB.
        let stands_for_srgb = |gamma: f32| points.is_none() && (gamma - 1.0 / 2.2).abs() <= NEARLY;
        let gamma = gamma.filter(|gamma| (0.1..=10.0).contains(gamma) && !stands_for_srgb(*gamma));
        if gamma.is_none() && points.is_none() {
            return Self::Srgb;
        }
        let mut profile = ColorProfile::new_srgb();
        profile.cicp = None;
        if let Some([white, red, green, blue]) = points {
            let [red, green, blue] = [red, green, blue].map(|(x, y)| Chromaticity::new(x, y));
            let white = XyY { x: white.0.into(), y: white.1.into(), yb: 1.0 };
            profile.update_rgb_colorimetry(white, ColorPrimaries { red, green, blue });
        }
        if let Some(gamma) = gamma {
            let curve = Some(ToneReprCurve::Parametric(vec![1.0 / gamma]));
            (profile.red_trc, profile.green_trc, profile.blue_trc) = (curve.clone(), curve.clone(), curve);
        }
        Self::Described(Box::new(profile))
    }

    /// Returns the memory for a conversion, in addition to the profile's bytes. Each of seven tables can be as large as
    /// the profile, the relevant one is also kept as floating-point numbers, and a grid is made of it.
    pub(super) fn converting_bytes(&self) -> u64 {
        const OF_ANY: u64 = 4 * 1024 * 1024;
        match self {
            Self::Srgb => 0,
            Self::Profile(bytes) => OF_ANY + 16 * bytes.len() as u64,
            Self::Described(_) => OF_ANY,
        }
    }

    /// Returns the memory that the profile takes until the conversion.
    pub(super) fn profile_bytes(&self) -> u64 {
        match self {
            Self::Srgb | Self::Described(_) => 0,
            Self::Profile(bytes) => bytes.len() as u64,
        }
    }

    /// Converts pixels to red, green and blue in sRGB.
    pub(super) fn to_srgb(&self, channels: Channels, pixels: Vec<u8>) -> Vec<u8> {
        self.converted(channels, &pixels).unwrap_or_else(|| match channels {
            Channels::Grey => grey_to_rgb(&pixels),
            Channels::Rgb => pixels,
            Channels::Inks => inks_to_rgb(&pixels),
        })
    }

    /// Returns `None` if nothing has to be converted, or if a profile is broken or for another kind of picture: a bad
    /// profile must not prevent showing the picture.
    fn converted(&self, channels: Channels, pixels: &[u8]) -> Option<Vec<u8>> {
        let profile = match self {
            Self::Srgb => return None,
            Self::Profile(bytes) => &read(bytes)?,
            Self::Described(profile) => profile,
        };
        let (layout, pixels) = match (channels, profile.color_space) {
            (Channels::Grey, DataColorSpace::Gray) => (Layout::Gray, Cow::Borrowed(pixels)),
            (Channels::Grey, DataColorSpace::Rgb) => (Layout::Rgb, Cow::Owned(grey_to_rgb(pixels))),
            (Channels::Rgb, DataColorSpace::Rgb) => (Layout::Rgb, Cow::Borrowed(pixels)),
            (Channels::Inks, DataColorSpace::Cmyk) => (Layout::Rgba, Cow::Borrowed(pixels)),
            _ => return None,
        };
        let srgb = ColorProfile::new_srgb();
        if is_same(profile, &srgb) {
            return None;
        }
        let options = TransformOptions::default();
        let transform = profile.create_transform_8bit(layout, &srgb, Layout::Rgb, options).ok()?;
        let mut rgb = vec![0; pixels.len() / layout.channels() * 3];
        transform.transform(&pixels, &mut rgb).ok()?;
        Some(rgb)
    }
}

/// Parses a profile whose range fits an sRGB picture.
fn read(bytes: &[u8]) -> Option<ColorProfile> {
    /// Position of the tag count (ICC.1:2022, section 7.3).
    const COUNT: std::ops::Range<usize> = 128..132;
    let count = u32::from_be_bytes(bytes.get(COUNT)?.try_into().ok()?);
    if count > TAGS_MAX {
        return None;
    }
    let options = ParsingOptions {
        max_profile_size: PROFILE_BYTES_MAX + 1,
        max_allowed_clut_size: PROFILE_BYTES_MAX,
        ..ParsingOptions::default()
    };
    let profile = ColorProfile::new_from_slice_with_options(bytes, options).ok()?;
    let is_high = profile.cicp.is_some_and(|points| is_of_high_range(points.transfer_characteristics));
    (!is_high).then_some(profile)
}

/// Whether two profiles have the same primaries and curves. Checking that avoids converting every pixel, as most
/// profiles are sRGB in one form or another.
fn is_same(one: &ColorProfile, other: &ColorProfile) -> bool {
    const NEARLY: f64 = 0.000_5;
    const STEPS: u8 = 16;

    let primaries = |profile: &ColorProfile| {
        let primaries = [profile.red_colorant, profile.green_colorant, profile.blue_colorant];
        primaries.map(|colour| [colour.x, colour.y, colour.z])
    };
    let (own, others) = (primaries(one), primaries(other));
    let mut pairs = own.as_flattened().iter().zip(others.as_flattened());
    let has_same_curve = |one: &Option<ToneReprCurve>, other: &Option<ToneReprCurve>| {
        let light = |curve: &Option<ToneReprCurve>| curve.as_ref()?.make_linear_evaluator().ok();
        let (Some(one), Some(other)) = (light(one), light(other)) else { return false };
        let mut steps = (0..=STEPS).map(|step| f32::from(step) / f32::from(STEPS));
        steps.all(|step| f64::from(one.evaluate_value(step) - other.evaluate_value(step)).abs() <= NEARLY)
    };
    let has_tables = one.lut_a_to_b_perceptual.is_some() || one.lut_a_to_b_colorimetric.is_some();
    !has_tables
        && one.color_space == other.color_space
        && pairs.all(|(one, other)| (one - other).abs() <= NEARLY)
        && has_same_curve(&one.red_trc, &other.red_trc)
        && has_same_curve(&one.green_trc, &other.green_trc)
        && has_same_curve(&one.blue_trc, &other.blue_trc)
}

fn is_of_high_range(transfer: TransferCharacteristics) -> bool {
    matches!(transfer, TransferCharacteristics::Smpte2084 | TransferCharacteristics::Hlg)
}

/// Whether these primaries span any colours.
fn can_be(points: &[(f32, f32); 4]) -> bool {
    const AREA_MIN: f32 = 0.01;
    let [white, red, green, blue] = points;
    let area = ((green.0 - red.0) * (blue.1 - red.1) - (blue.0 - red.0) * (green.1 - red.1)).abs() / 2.0;
    let is_within = |(x, y): &(f32, f32)| (0.0..=1.0).contains(x) && (0.0..=1.0).contains(y);
    points.iter().all(is_within) && white.1 > AREA_MIN && area > AREA_MIN
}

fn grey_to_rgb(pixels: &[u8]) -> Vec<u8> {
    pixels.iter().flat_map(|grey| [*grey; 3]).collect()
}

/// Converts inks to light by the simple formula, without a profile of the inks.
fn inks_to_rgb(pixels: &[u8]) -> Vec<u8> {
    let light = |ink: u8, black: u8| {
        let light = u16::from(255 - ink) * u16::from(255 - black) / 255;
        u8::try_from(light).unwrap_or(u8::MAX)
    };
    let of_pixel = |p: &[u8]| [light(p[0], p[3]), light(p[1], p[3]), light(p[2], p[3])];
    pixels.chunks_exact(4).flat_map(of_pixel).collect()
}
