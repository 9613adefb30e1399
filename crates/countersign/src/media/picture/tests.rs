//! Results for valid, rotated, transparent, damaged and hostile pictures.

mod colours;
mod frames;

use std::sync::LazyLock;

use crate::testing::pictures::{self, QUARTERS, quarters};

use super::*;

/// Built once, because they take a while.
static HOSTILE: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(pictures::hostile);

fn prepare(bytes: &[u8]) -> Result<Vec<u8>, InvalidPicture> {
    Candidate::inspect(bytes)?.prepare()
}

/// Returns the pixels of a finished file, after checking its promised properties.
fn pixels(file: &[u8]) -> Vec<u8> {
    let mut decoder = jpeg_decoder::Decoder::new(file);
    let pixels = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    assert_eq!((info.width, info.height), (300, 300));
    assert_eq!(info.pixel_format, jpeg_decoder::PixelFormat::RGB24);
    assert!(decoder.exif_data().is_none() && decoder.icc_profile().is_none() && decoder.xmp_data().is_none());
    pixels
}

/// Returns the colours at the centres of the quarters.
fn colours(file: &[u8]) -> [[u8; 3]; 4] {
    let pixels = pixels(file);
    [(75, 75), (225, 75), (75, 225), (225, 225)].map(|(x, y)| {
        let at = (y * 300 + x) * 3;
        [pixels[at], pixels[at + 1], pixels[at + 2]]
    })
}

fn is_near(found: [[u8; 3]; 4], expected: [[u8; 3]; 4], tolerance: u8) -> bool {
    found
        .iter()
        .flatten()
        .zip(expected.iter().flatten())
        .all(|(found, expected)| found.abs_diff(*expected) <= tolerance)
}

#[test]
fn every_format_becomes_a_square_of_the_same_colours() {
    for (name, bytes) in pictures::good() {
        let found = colours(&prepare(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")));
        let expected = match name.as_str() {
            "grey.jpg" => [[81; 3], [106; 3], [49; 3], [191; 3]],
            "one.gif" => [QUARTERS[0]; 4],
            // They fade into white towards the top.
            "alpha.webp" | "lossless.webp" => continue,
            _ => QUARTERS,
        };
        // Inks are converted without a profile.
        assert!(is_near(found, expected, 12), "{name}: {found:?}");
    }
}

#[test]
fn what_can_be_seen_through_is_seen_on_white() {
    let rgba: Vec<u8> = quarters(400, 400).chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 64]).collect();
    let file = pictures::png(400, 400, png_colours(), ::png::BitDepth::Eight, &rgba);
    let expected = QUARTERS.map(|rgb| rgb.map(|colour| on_white(colour, 64)));
    assert!(is_near(colours(&prepare(&file).unwrap()), expected, 6));
    let found = colours(&prepare(pictures::SAMPLES[1].1).unwrap());
    assert!(found[0].iter().all(|colour| *colour > 170), "{found:?}");
    assert!(is_near(
        [found[2], found[3], found[2], found[3]],
        [QUARTERS[2], QUARTERS[3], QUARTERS[2], QUARTERS[3]],
        80
    ));
}

fn png_colours() -> ::png::ColorType {
    ::png::ColorType::Rgba
}

#[test]
fn a_turned_picture_is_turned_back() {
    let [red, green, blue, yellow] = QUARTERS;
    for (orientation, expected) in [
        (0, [red, green, blue, yellow]),
        (1, [red, green, blue, yellow]),
        (2, [green, red, yellow, blue]),
        (3, [yellow, blue, green, red]),
        (4, [blue, yellow, red, green]),
        (5, [red, blue, green, yellow]),
        (6, [blue, red, yellow, green]),
        (7, [yellow, green, blue, red]),
        (8, [green, yellow, red, blue]),
        (9, [red, green, blue, yellow]),
    ] {
        let file = pictures::jpeg(500, 400, &quarters(500, 400), orientation);
        let found = colours(&prepare(&file).unwrap());
        assert!(is_near(found, expected, 8), "orientation {orientation}: {found:?}");
    }
}

#[test]
fn the_middle_of_a_picture_is_kept_and_small_ones_are_made_larger() {
    // Black except for the middle square.
    for (width, height) in [(900_u16, 300_u16), (300, 900), (2_600, 1_300), (90, 30), (1, 1)] {
        let (w, h) = (usize::from(width), usize::from(height));
        let side = w.min(h);
        let inside = |x: usize, y: usize| x.abs_diff(w / 2) <= side / 2 && y.abs_diff(h / 2) <= side / 2;
        let rgb: Vec<u8> =
            (0..h).flat_map(|y| (0..w).flat_map(move |x| [if inside(x, y) { 200 } else { 0 }; 3])).collect();
        let png = pictures::png(width.into(), height.into(), ::png::ColorType::Rgb, ::png::BitDepth::Eight, &rgb);
        for file in [png, pictures::jpeg(width, height, &rgb, 0)] {
            let found = colours(&prepare(&file).unwrap());
            assert!(is_near(found, [[200; 3]; 4], 12), "{width} by {height}: {found:?}");
        }
    }
}

#[test]
fn every_colour_type_and_depth_of_png_is_understood() {
    use ::png::BitDepth::{Eight, Four, One, Sixteen, Two};
    use ::png::ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
    for (colours, depths) in [
        (Grayscale, &[One, Two, Four, Eight, Sixteen][..]),
        (GrayscaleAlpha, &[Eight, Sixteen]),
        (Rgb, &[Eight, Sixteen]),
        (Rgba, &[Eight, Sixteen]),
    ] {
        for depth in depths {
            // Large enough to be reduced while decoded.
            let prepared = prepare(&pictures::flat_png(1_300, 1_250, colours, *depth));
            assert!(prepared.is_ok(), "{colours:?} {depth:?}: {prepared:?}");
        }
    }
}

#[test]
fn damaged_files_are_refused_or_become_pictures() {
    let good = pictures::good();
    let mut refused = 0;
    for seed in 0..400 {
        let (name, bytes) = pictures::damaged(&good, seed);
        match prepare(&bytes) {
            Ok(file) => drop(pixels(&file)),
            Err(InvalidPicture::TooSlow) => panic!("{name}, seed {seed}: too slow"),
            Err(_) => refused += 1,
        }
    }
    assert!((100..400).contains(&refused), "{refused} of 400 were refused");
}

#[test]
fn hostile_files_are_refused_or_become_pictures_within_the_budget() {
    let policy = crate::config::MediaPolicy::default();
    for (name, bytes) in &*HOSTILE {
        assert!(bytes.len() <= policy.upload_bytes_max, "{name}");
        let Ok(candidate) = Candidate::inspect(bytes) else {
            continue;
        };
        if candidate.memory_bytes() <= policy.decoding_memory_bytes_max
            && let Ok(file) = candidate.prepare()
        {
            pixels(&file);
        }
    }
}

#[test]
fn what_asks_for_too_much_is_refused_before_it_is_decoded() {
    let hostile = &*HOSTILE;
    let outcome = |wanted: &str| {
        let (_, bytes) = hostile.iter().find(|(name, _)| *name == wanted).unwrap();
        Candidate::inspect(bytes).map(|candidate| candidate.memory_bytes()).map_err(|error| error.to_string())
    };
    for name in ["a PNG of 20,000 by 20,000", "a GIF that says 65,535 by 65,535", "a JPEG that says 65,500 by 65,500"] {
        assert_eq!(outcome(name), Err("too many pixels".to_owned()), "{name}");
    }
    assert_eq!(outcome("a WebP of 65,536 groups of codes"), Err("needs too much memory".to_owned()));
    assert_eq!(outcome("a progressive JPEG of many scans"), Err("broken: too many scans".to_owned()));
    for name in ["a progressive JPEG that says 16,000 by 4,000", "a JPEG that says 16,000 by 4,000"] {
        assert_eq!(outcome(name), Err("broken: too few bytes for its size".to_owned()), "{name}");
    }
    for name in ["SVG", "HTML", "nothing"] {
        assert_eq!(outcome(name), Err("not a JPEG, PNG, GIF or WebP".to_owned()), "{name}");
    }
}

#[test]
fn a_large_photograph_takes_little_memory_unless_it_is_progressive() {
    // 48 megapixels; 4:4:4, the encoder's choice at this quality.
    let photograph = pictures::jpeg(8_000, 6_000, &quarters(8_000, 6_000), 0);
    assert!(Candidate::inspect(&photograph).unwrap().memory_bytes() < 16_000_000);
    let mut progressive = photograph;
    let frame = progressive.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    progressive[frame + 1] = 0xc2;
    assert!(Candidate::inspect(&progressive).unwrap().memory_bytes() > 200_000_000);
}
