//! Conversion of colours to sRGB. The expected values are computed from the definitions of the colour spaces, not by
//! the code that converts.

use ::png::BitDepth::{Eight, Sixteen};
use ::png::ColorType;
use moxcms::ColorProfile;

use crate::testing::profiles;

use super::*;

/// A colour space: its curve, and the matrix from its linear light to that of sRGB, from the published primaries and
/// white points (adapted by Bradford's method).
struct Space {
    name: &'static str,
    to_linear: fn(f64) -> f64,
    to_srgb: [[f64; 3]; 3],
    profile: fn() -> ColorProfile,
}

const SPACES: [Space; 3] = [
    Space {
        name: "Display P3",
        to_linear: srgb_to_linear,
        to_srgb: [[1.2249, -0.2249, 0.0], [-0.0421, 1.0421, 0.0], [-0.0196, -0.0786, 1.0983]],
        profile: ColorProfile::new_display_p3,
    },
    Space {
        name: "Adobe RGB (1998)",
        to_linear: |value| value.powf(563.0 / 256.0),
        to_srgb: [[1.3984, -0.3984, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429, 1.0429]],
        profile: ColorProfile::new_adobe_rgb,
    },
    Space {
        name: "ProPhoto RGB",
        to_linear: |value| value.powf(1.8),
        to_srgb: [[2.0344, -0.7276, -0.3067], [-0.2288, 1.2317, -0.0029], [-0.0086, -0.1533, 1.1618]],
        profile: ColorProfile::new_pro_photo_rgb,
    },
];

fn srgb_to_linear(value: f64) -> f64 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Returns the sRGB byte for this much light.
fn srgb(light: f64) -> u8 {
    let light = light.clamp(0.0, 1.0);
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 255")]
    let byte = (value * 255.0).round() as u8;
    byte
}

impl Space {
    fn srgb_of(&self, rgb: [u8; 3]) -> [u8; 3] {
        let light = rgb.map(|value| (self.to_linear)(f64::from(value) / 255.0));
        self.to_srgb.map(|row| srgb(row.iter().zip(light).map(|(factor, light)| factor * light).sum()))
    }

    fn encoded(&self) -> Vec<u8> {
        (self.profile)().encode().unwrap()
    }
}

fn adobe_rgb() -> Vec<u8> {
    SPACES[1].encoded()
}

fn converted(profile: Vec<u8>, channels: Channels, pixels: &[u8]) -> Vec<u8> {
    Colours::of_profile(Some(profile)).to_srgb(channels, pixels.to_vec())
}

fn png_of_quarters() -> Vec<u8> {
    pictures::png(64, 64, ColorType::Rgb, Eight, &quarters(64, 64))
}

#[test]
fn every_colour_of_a_wider_range_becomes_the_nearest_of_srgb() {
    let steps: Vec<u8> = (0..=255).step_by(15).collect();
    let all: Vec<[u8; 3]> =
        steps.iter().flat_map(|r| steps.iter().flat_map(|g| steps.iter().map(|b| [*r, *g, *b]))).collect();
    for space in &SPACES {
        let found = converted(space.encoded(), Channels::Rgb, all.as_flattened());
        for (rgb, found) in all.iter().zip(found.chunks_exact(3)) {
            let expected = space.srgb_of(*rgb);
            let off = found.iter().zip(expected).map(|(found, expected)| found.abs_diff(expected)).max().unwrap();
            assert!(off <= 2, "{} {rgb:?}: {found:?} for {expected:?}", space.name);
        }
    }
}

#[test]
fn a_profile_counts_in_every_format_that_has_one() {
    let rgb = quarters(320, 320);
    for space in &SPACES {
        let profile = space.encoded();
        let jpeg = pictures::jpeg(320, 320, &rgb, 0);
        let expected = QUARTERS.map(|rgb| space.srgb_of(rgb));
        for (format, file) in [
            ("PNG", pictures::png_with_profile(320, 320, ColorType::Rgb, &rgb, &profile)),
            ("WebP", pictures::webp_with_profile(320, 320, &rgb, &profile)),
            ("JPEG", pictures::jpeg_with_profile(&jpeg, &profile, 1)),
            ("JPEG, in pieces", pictures::jpeg_with_profile(&jpeg, &profile, 3)),
        ] {
            let found = colours(&prepare(&file).unwrap());
            let tolerance = if format.starts_with("JPEG") { 6 } else { 3 };
            assert!(is_near(found, expected, tolerance), "{} {format}: {found:?} for {expected:?}", space.name);
        }
    }
}

#[test]
fn a_profile_of_srgb_changes_nothing() {
    let all: Vec<u8> = (0..=255).flat_map(|value| [value, 255 - value, value / 2]).collect();
    let profile = ColorProfile::new_srgb().encode().unwrap();
    assert_eq!(converted(profile, Channels::Rgb, &all), all);
}

#[test]
fn grey_pictures_have_profiles_too() {
    let profile = ColorProfile::new_gray_with_gamma(1.8).encode().unwrap();
    let expected = [[srgb((100.0_f64 / 255.0).powf(1.8)); 3]; 4];
    let grey = pictures::png_with_profile(40, 40, ColorType::Grayscale, &[100; 1_600], &profile);
    let alpha = [[100, 255]; 1_600];
    let alpha = pictures::png_with_profile(40, 40, ColorType::GrayscaleAlpha, alpha.as_flattened(), &profile);
    let jpeg = pictures::jpeg_with_profile(&jpeg(&[100; 1_600], jpeg_encoder::ColorType::Luma), &profile, 1);
    // A profile of three colours treats grey as equal amounts of them.
    let of_three = pictures::png_with_profile(40, 40, ColorType::Grayscale, &[100; 1_600], &adobe_rgb());
    for (file, expected) in
        [(grey, expected), (alpha, expected), (jpeg, expected), (of_three, [SPACES[1].srgb_of([100; 3]); 4])]
    {
        let found = colours(&prepare(&file).unwrap());
        assert!(is_near(found, expected, 2), "{found:?} for {expected:?}");
    }
}

/// Returns a JPEG of 40 by 40 pixels.
fn jpeg(pixels: &[u8], colours: jpeg_encoder::ColorType) -> Vec<u8> {
    let mut file = Vec::new();
    jpeg_encoder::Encoder::new(&mut file, 100).encode(pixels, 40, 40, colours).unwrap();
    file
}

/// Converts CIELAB with the D50 white point to sRGB.
fn srgb_of_lab(lightness: f64, red: f64, yellow: f64) -> [u8; 3] {
    let y = (lightness + 16.0) / 116.0;
    let part = |value: f64| if value > 6.0 / 29.0 { value.powi(3) } else { (value - 4.0 / 29.0) * 108.0 / 841.0 };
    let [x, y, z] = [0.9642 * part(y + red / 500.0), part(y), 0.8249 * part(y - yellow / 200.0)];
    [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]]
        .map(|row| srgb(row[0] * x + row[1] * y + row[2] * z))
}

#[test]
fn inks_are_what_their_profile_says() {
    for (inks, [lightness, a, b]) in [
        ([0, 0, 0, 0], [240.0, 128.0, 128.0]),
        ([255, 0, 0, 0], [180.0, 88.0, 88.0]),
        ([0, 255, 0, 0], [180.0, 178.0, 128.0]),
        ([0, 0, 255, 0], [230.0, 128.0, 188.0]),
        ([0, 0, 0, 255], [40.0, 128.0, 128.0]),
        ([0, 255, 255, 0], [170.0, 178.0, 188.0]),
    ] {
        let expected = [srgb_of_lab(lightness / 2.55, a - 128.0, b - 128.0); 4];
        for colours in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
            let file = pictures::jpeg_with_profile(&jpeg(&inks.repeat(1_600), colours), &profiles::of_inks(), 2);
            let found = super::colours(&prepare(&file).unwrap());
            assert!(is_near(found, expected, 5), "{inks:?}: {found:?} for {expected:?}");
        }
    }
}

#[test]
fn inks_without_a_profile_are_what_the_simple_formula_says() {
    for (inks, expected) in [
        ([0, 0, 0, 0], [255, 255, 255]),
        ([255, 0, 0, 0], [0, 255, 255]),
        ([0, 128, 255, 0], [255, 127, 0]),
        ([0, 0, 0, 100], [155, 155, 155]),
        ([50, 100, 150, 100], [124, 94, 63]),
    ] {
        for colours in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
            let found = super::colours(&prepare(&jpeg(&inks.repeat(1_600), colours)).unwrap());
            assert!(is_near(found, [expected; 4], 3), "{inks:?}: {found:?} for {expected:?}");
        }
    }
}

#[test]
fn what_is_no_profile_for_a_picture_leaves_it_as_it_is() {
    let whole = adobe_rgb();
    // The tag table begins at 132 with 12 bytes per tag; repeating the first one is as good as having it once.
    let many = [&whole[..128], &5_000_u32.to_be_bytes(), &whole[132..144].repeat(5_000), &whole[144..]].concat();
    let large = [&whole[..], &vec![0; 1024 * 1024]].concat();
    for (name, profile) in [
        ("cut off", whole[..200].to_vec()),
        ("nothing", Vec::new()),
        ("text", b"no profile at all".repeat(20)),
        ("of many tags", many),
        ("large", large),
        ("of grey", ColorProfile::new_gray_with_gamma(1.0).encode().unwrap()),
        ("of inks", profiles::of_inks()),
        ("of light beyond a screen's", ColorProfile::new_display_p3_pq().encode().unwrap()),
    ] {
        let pixels = quarters(2, 2);
        assert_eq!(converted(profile.clone(), Channels::Rgb, &pixels), pixels, "{name}");
        let file = pictures::png_with_profile(64, 64, ColorType::Rgb, &quarters(64, 64), &profile);
        assert!(is_near(colours(&prepare(&file).unwrap()), QUARTERS, 3), "{name}");
    }
    assert_eq!(converted(whole, Channels::Inks, &[0, 0, 0, 100]), [155; 3]);
}

#[test]
fn a_profile_of_which_pieces_are_missing_is_none() {
    let rgb = quarters(320, 320);
    let plain = pictures::jpeg(320, 320, &rgb, 0);
    let with_profile = pictures::jpeg_with_profile(&plain, &adobe_rgb(), 3);
    let first_length = 2 + usize::from(u16::from_be_bytes([with_profile[4], with_profile[5]]));
    let without_the_first = [&with_profile[..2], &with_profile[2 + first_length..]].concat();
    assert!(is_near(colours(&prepare(&without_the_first).unwrap()), QUARTERS, 6));
}

#[test]
fn of_what_a_png_says_of_its_colours_the_most_exact_counts() {
    let number = |number: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
        let scaled = (number * 100_000.0).round() as u32;
        scaled.to_be_bytes()
    };
    let gamma = |exponent: f64| (*b"gAMA", number(exponent).to_vec());
    let points = |points: [f64; 8]| (*b"cHRM", points.map(number).concat());
    let adobe_points = points([0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06]);
    let srgb_points = points([0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06]);
    let says_srgb = (*b"sRGB", vec![0]);
    let code = |primaries: u8, transfer: u8| (*b"cICP", vec![primaries, transfer, 0, 1]);

    let p3 = QUARTERS.map(|rgb| SPACES[0].srgb_of(rgb));
    let adobe = QUARTERS.map(|rgb| SPACES[1].srgb_of(rgb));
    let linear = QUARTERS.map(|rgb| rgb.map(|value| srgb(f64::from(value) / 255.0)));
    let plain = png_of_quarters();
    let profiled = pictures::png_with_profile(64, 64, ColorType::Rgb, &quarters(64, 64), &adobe_rgb());
    for (name, png, chunks, expected) in [
        ("a curve and primaries", &plain, vec![gamma(256.0 / 563.0), adobe_points.clone()], adobe),
        ("a curve alone", &plain, vec![gamma(1.0)], linear),
        ("what stands for sRGB", &plain, vec![gamma(0.45455)], QUARTERS),
        ("all that stands for sRGB", &plain, vec![gamma(0.45455), srgb_points], QUARTERS),
        ("an absurd curve", &plain, vec![gamma(0.00001)], QUARTERS),
        ("absurd primaries", &plain, vec![points([0.0; 8])], QUARTERS),
        ("primaries on a line", &plain, vec![points([0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.4, 0.4])], QUARTERS),
        ("sRGB and others", &plain, vec![gamma(1.0), adobe_points.clone(), says_srgb.clone()], QUARTERS),
        ("a profile and sRGB", &profiled, vec![says_srgb.clone()], adobe),
        ("a code and a profile", &profiled, vec![code(12, 13)], p3),
        ("a code of sRGB and a profile", &profiled, vec![code(1, 13)], QUARTERS),
        ("a code of what a screen has not, and a profile", &profiled, vec![code(9, 16)], adobe),
        ("a code of nothing, and a profile", &profiled, vec![code(2, 2)], adobe),
        ("a code of half the range", &plain, vec![(*b"cICP", vec![12, 13, 0, 0])], QUARTERS),
    ] {
        let file = chunks.iter().fold(png.clone(), |png, (kind, content)| pictures::with_chunk(&png, *kind, content));
        let found = colours(&prepare(&file).unwrap());
        assert!(is_near(found, expected, 3), "{name}: {found:?} for {expected:?}");
    }
}

#[test]
fn whatever_a_png_says_its_pixels_with_it_is_shown() {
    let grey = [[100, 128]; 1_600];
    let mixed = on_white(100, 128);
    let deep: Vec<u8> = [200_u16 * 257, 30 * 257, 90 * 257].map(u16::to_be_bytes).as_flattened().repeat(1_600);
    let deep_alpha: Vec<u8> =
        [200_u16 * 257, 30 * 257, 90 * 257, 128 * 257].map(u16::to_be_bytes).as_flattened().repeat(1_600);
    let deep_grey: Vec<u8> = (77_u16 * 257).to_be_bytes().repeat(1_600);
    // Four colours, of which the second is transparent.
    let indexed = {
        let mut info = ::png::Info::with_size(40, 40);
        info.color_type = ColorType::Indexed;
        info.palette = Some(QUARTERS.concat().into());
        info.trns = Some(vec![255, 0].into());
        let mut file = Vec::new();
        let mut writer = ::png::Encoder::with_info(&mut file, info).unwrap().write_header().unwrap();
        let index = |at: usize| u8::from(at % 40 >= 20) + 2 * u8::from(at / 40 >= 20);
        writer.write_image_data(&(0..1_600).map(index).collect::<Vec<u8>>()).unwrap();
        writer.finish().unwrap();
        file
    };
    let on_white_of = |rgb: [u8; 3]| rgb.map(|value| on_white(value, 128));
    for (name, file, expected) in [
        (
            "grey with alpha",
            pictures::png(40, 40, ColorType::GrayscaleAlpha, Eight, grey.as_flattened()),
            [[mixed; 3]; 4],
        ),
        ("16 bits", pictures::png(40, 40, ColorType::Rgb, Sixteen, &deep), [[200, 30, 90]; 4]),
        (
            "16 bits and alpha",
            pictures::png(40, 40, ColorType::Rgba, Sixteen, &deep_alpha),
            [on_white_of([200, 30, 90]); 4],
        ),
        ("16 bits of grey", pictures::png(40, 40, ColorType::Grayscale, Sixteen, &deep_grey), [[77; 3]; 4]),
        (
            "2 bits of grey",
            pictures::png(40, 40, ColorType::Grayscale, ::png::BitDepth::Two, &[0b1010_1010; 400]),
            [[170; 3]; 4],
        ),
        ("a palette", indexed, [QUARTERS[0], [255; 3], QUARTERS[2], QUARTERS[3]]),
    ] {
        let found = colours(&prepare(&file).unwrap());
        assert!(is_near(found, expected, 5), "{name}: {found:?} for {expected:?}");
    }
}

#[test]
fn a_jpeg_of_red_green_and_blue_is_not_taken_for_one_of_brightness() {
    // Ycbcr input is stored as it is, so these are three components of any meaning.
    let stored = jpeg(&[200, 30, 90].repeat(1_600), jpeg_encoder::ColorType::Ycbcr);
    let adobe = |transform: u8| pictures::jpeg_segment(0xee, &[&b"Adobe\0\x64\0\0\0\0"[..], &[transform]].concat());
    let header = 2 + 2 + usize::from(u16::from_be_bytes([stored[4], stored[5]]));
    assert!(stored[6..].starts_with(b"JFIF\0"));
    let as_adobe = |transform: u8| [&stored[..2], &adobe(transform), &stored[header..]].concat();
    let with_both = [&stored[..header], &adobe(0), &stored[header..]].concat();

    let found = |file: &[u8]| colours(&prepare(file).unwrap());
    assert!(is_near(found(&as_adobe(0)), [[200, 30, 90]; 4], 3), "{:?}", found(&as_adobe(0)));
    let of_brightness = found(&stored);
    assert!(!is_near(of_brightness, [[200, 30, 90]; 4], 30));
    assert_eq!(found(&as_adobe(1)), of_brightness);
    assert_eq!(found(&with_both), of_brightness, "JFIF is always of brightness");
}

#[test]
fn a_profile_takes_memory_by_its_size() {
    let of = |bytes: usize| {
        let profile = vec![0; bytes];
        let file = pictures::png_with_profile(64, 64, ColorType::Rgb, &quarters(64, 64), &profile);
        Candidate::inspect(&file).unwrap().memory_bytes()
    };
    assert!(of(1_000) < 8_000_000, "{}", of(1_000));
    assert!((16_000_000..24_000_000).contains(&of(1_000_000)), "{}", of(1_000_000));
    assert!(of(1_000_000) < crate::config::MediaPolicy::default().decoding_memory_bytes_max / 3);
}
