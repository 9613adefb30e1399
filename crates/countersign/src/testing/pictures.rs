//! Test pictures: valid ones of every format, thousands of damaged ones, and malicious ones. Public with the feature `testing`,
//! because fuzzers and hosts' tests use them too.

use std::io::Write as _;

/// Pictures of four quarters, red and green over blue and yellow, in formats that this crate cannot write itself.
pub const SAMPLES: &[(&str, &[u8])] = &[
    ("lossy.webp", include_bytes!("../../assets/pictures/lossy.webp")),
    ("alpha.webp", include_bytes!("../../assets/pictures/alpha.webp")),
    ("lossless.webp", include_bytes!("../../assets/pictures/lossless.webp")),
    ("animated.webp", include_bytes!("../../assets/pictures/animated.webp")),
    ("first-frame.gif", include_bytes!("../../assets/pictures/first-frame.gif")),
    ("progressive.jpg", include_bytes!("../../assets/pictures/progressive.jpg")),
    ("cmyk.jpg", include_bytes!("../../assets/pictures/cmyk.jpg")),
    ("grey.jpg", include_bytes!("../../assets/pictures/grey.jpg")),
];

/// Red, green, blue and yellow, in the order of the quarters from left to right and top to bottom.
pub const QUARTERS: [[u8; 3]; 4] = [[200, 30, 30], [30, 160, 30], [30, 30, 200], [230, 200, 40]];

/// Pseudo-random numbers, reproducible from a seed (xorshift64*, Marsaglia 2003, Vigna 2016).
pub struct Numbers(u64);

impl Numbers {
    /// Makes a sequence that differs for each seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
        usize::try_from(number % end.max(1) as u64).expect("below a usize")
    }
}

/// Returns the pixel rows of the four quarters.
pub fn quarters(width: u32, height: u32) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            let quarter = usize::from(y >= height / 2) * 2 + usize::from(x >= width / 2);
            rgb.extend_from_slice(&QUARTERS[quarter]);
        }
    }
    rgb
}

/// Encodes a JPEG of these pixels, with the Exif orientation `orientation` unless it is 0.
pub fn jpeg(width: u16, height: u16, rgb: &[u8], orientation: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    if orientation != 0 {
        let exif = [&b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation, 0, 0, 0, 0, 0, 0]]
            .concat();
        encoder.add_app_segment(1, exif).expect("a short segment");
    }
    encoder.encode(rgb, width, height, jpeg_encoder::ColorType::Rgb).expect("a JPEG");
    file
}

/// Encodes a PNG of these bytes.
pub fn png(width: u32, height: u32, colours: png::ColorType, depth: png::BitDepth, bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colours);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(bytes).expect("the rows");
    writer.finish().expect("an end");
    file
}

/// Returns the same JPEG with a colour profile in this many segments.
pub fn jpeg_with_profile(jpeg: &[u8], profile: &[u8], pieces: usize) -> Vec<u8> {
    let chunks: Vec<&[u8]> = profile.chunks(profile.len().div_ceil(pieces).max(1)).collect();
    let byte = |number: usize| u8::try_from(number).expect("few pieces");
    let segments = chunks.iter().enumerate().map(|(index, chunk)| {
        let head = [&b"ICC_PROFILE\0"[..], &[byte(index + 1), byte(chunks.len())]].concat();
        jpeg_segment(0xe2, &[&head, *chunk].concat())
    });
    [&jpeg[..2], &segments.collect::<Vec<_>>().concat(), &jpeg[2..]].concat()
}

/// Makes a segment of a JPEG, including its marker.
pub fn jpeg_segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).expect("a short segment");
    [&[0xff, marker], &length.to_be_bytes()[..], content].concat()
}

/// Encodes a PNG of these bytes, with 8 bits a sample and a colour profile.
pub fn png_with_profile(width: u32, height: u32, colours: png::ColorType, bytes: &[u8], profile: &[u8]) -> Vec<u8> {
    let mut info = png::Info::with_size(width, height);
    info.color_type = colours;
    info.icc_profile = Some(profile.into());
    let mut file = Vec::new();
    let encoder = png::Encoder::with_info(&mut file, info).expect("a description");
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(bytes).expect("the rows");
    writer.finish().expect("an end");
    file
}

/// Encodes a PNG of one value throughout, which is small at any size.
pub fn flat_png(width: u32, height: u32, colours: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colours);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Balanced);
    let row = vec![0; (width as usize * colours.samples() * depth as usize).div_ceil(8)];
    let mut writer = encoder.write_header().expect("a header");
    let mut stream = writer.stream_writer().expect("a stream");
    for _ in 0..height {
        stream.write_all(&row).expect("a row");
    }
    stream.finish().expect("an end");
    drop(writer);
    file
}

/// Encodes a GIF of this many frames of one colour.
pub fn gif(width: u16, height: u16, frames: u32) -> Vec<u8> {
    let palette = [200, 30, 30, 0, 0, 0];
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, width, height, &palette).expect("a header");
    let pixels = vec![0; usize::from(width) * usize::from(height)];
    let mut frame = gif::Frame::from_indexed_pixels(width, height, pixels, None);
    frame.make_lzw_pre_encoded();
    for _ in 0..frames {
        encoder.write_lzw_pre_encoded_frame(&frame).expect("a frame");
    }
    drop(encoder);
    file
}

/// Encodes a lossless WebP of these pixels.
pub fn webp(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    image_webp::WebPEncoder::new(&mut file).encode(rgb, width, height, image_webp::ColorType::Rgb8).expect("a WebP");
    file
}

/// Encodes the same with a colour profile.
pub fn webp_with_profile(width: u32, height: u32, rgb: &[u8], profile: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut file);
    encoder.set_icc_profile(profile.to_vec());
    encoder.encode(rgb, width, height, image_webp::ColorType::Rgb8).expect("a WebP");
    file
}

/// Returns valid pictures of every format.
pub fn good() -> Vec<(String, Vec<u8>)> {
    let rgb = quarters(640, 480);
    let mut all: Vec<(String, Vec<u8>)> =
        SAMPLES.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    all.push(("baseline.jpg".to_owned(), jpeg(640, 480, &rgb, 0)));
    all.push(("plain.png".to_owned(), png(640, 480, png::ColorType::Rgb, png::BitDepth::Eight, &rgb)));
    all.push(("plain.webp".to_owned(), webp(640, 480, &rgb)));
    all.push(("one.gif".to_owned(), gif(64, 48, 1)));
    all
}

/// Returns one of the valid pictures, truncated or with flipped bits; the same for the same seed.
pub fn damaged(good: &[(String, Vec<u8>)], seed: u64) -> (String, Vec<u8>) {
    let mut numbers = Numbers::seeded(seed);
    let (name, bytes) = &good[numbers.below(good.len())];
    let mut bytes = bytes.clone();
    if numbers.below(3) == 0 {
        bytes.truncate(numbers.below(bytes.len()));
    } else {
        // Half of the flips go into the header, where the sizes and tables are.
        let reach = if numbers.below(2) == 0 { bytes.len().min(700) } else { bytes.len() };
        for _ in 0..=numbers.below(12) {
            let at = numbers.below(reach);
            bytes[at] ^= 1 << numbers.below(8);
        }
    }
    (name.clone(), bytes)
}

/// Returns small files that need many resources, or pretend to be something else.
pub fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    use png::BitDepth::{Eight, One, Sixteen};
    use png::ColorType::{Grayscale, Rgb, Rgba};

    let small = quarters(64, 48);
    let small_jpeg = jpeg(64, 48, &small, 0);
    let small_png = png(64, 48, Rgb, Eight, &small);
    let html = b"<!doctype html><html><body><script>alert(1)</script></body></html>";
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let zeros = deflated_zeros(64 * 1024 * 1024);
    vec![
        ("a PNG of 20,000 by 20,000", flat_png(20_000, 20_000, Grayscale, One)),
        ("a PNG of as many pixels as are decoded", flat_png(16_000, 2_090, Rgba, Eight)),
        ("a PNG of many pixels of 16 bits", flat_png(8_000, 2_090, Rgba, Sixteen)),
        ("a GIF of 10,000 frames", gif(300, 300, 10_000)),
        ("a GIF of as many pixels as are decoded", gif(5_780, 5_780, 1)),
        (
            "a GIF that says 65,535 by 65,535",
            [&b"GIF89a\xff\xff\xff\xff\0\0\0"[..], b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0\x3b"].concat(),
        ),
        ("a PNG with much text", with_chunk(&small_png, *b"zTXt", &[&b"Comment\0\0"[..], &zeros].concat())),
        (
            "a PNG with much plain text",
            with_chunk(&small_png, *b"tEXt", &[&b"Comment\0"[..], &vec![b'x'; 3_000_000]].concat()),
        ),
        ("a PNG with a large profile", with_chunk(&small_png, *b"iCCP", &[&b"profile\0\0"[..], &zeros].concat())),
        ("a JPEG that says 65,500 by 65,500", resized(&small_jpeg, 65_500, 65_500)),
        ("a JPEG that says 16,000 by 4,000", resized(&small_jpeg, 16_000, 4_000)),
        ("a progressive JPEG that says 16,000 by 4,000", resized(SAMPLES[5].1, 16_000, 4_000)),
        ("a progressive JPEG of many scans", many_scans(SAMPLES[5].1, 20_000)),
        ("a WebP of 65,536 groups of codes", webp_of_many_codes()),
        ("SVG", svg.to_vec()),
        ("HTML", html.to_vec()),
        ("HTML that begins like a GIF", [&b"GIF89a"[..], html].concat()),
        ("HTML that begins like a JPEG", [&b"\xff\xd8\xff\xe0"[..], html].concat()),
        ("a JPEG with HTML in its comment", with_comment(&small_jpeg, html)),
        ("a JPEG with HTML after it", [&small_jpeg[..], html].concat()),
        ("a PNG with HTML after it", [&small_png[..], html].concat()),
        ("a GIF with HTML after it", [&gif(64, 48, 1)[..], html].concat()),
        ("nothing", Vec::new()),
        ("the beginning of a JPEG", b"\xff\xd8\xff".to_vec()),
        ("the beginning of a WebP", b"RIFF\0\0\0\0WEBP".to_vec()),
    ]
}

/// Returns this many zeros, compressed by zlib, extracted from a PNG.
fn deflated_zeros(count: u32) -> Vec<u8> {
    let file = flat_png(16_000, count / 16_000, png::ColorType::Grayscale, png::BitDepth::Eight);
    let mut data = Vec::new();
    let mut rest = &file[8..];
    while rest.len() >= 12 {
        let length = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
        if &rest[4..8] == b"IDAT" {
            data.extend_from_slice(&rest[8..8 + length]);
        }
        rest = &rest[12 + length..];
    }
    data
}

/// Returns the same PNG with a chunk after the header.
pub fn with_chunk(png: &[u8], kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    const HEADER_END: usize = 8 + 25;
    let length = u32::try_from(content.len()).expect("a short chunk");
    let sum = crc32(&[&kind[..], content].concat());
    [&png[..HEADER_END], &length.to_be_bytes(), &kind, content, &sum.to_be_bytes(), &png[HEADER_END..]].concat()
}

/// Returns the checksum of PNG (ISO 15948, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

fn with_comment(jpeg: &[u8], text: &[u8]) -> Vec<u8> {
    [&jpeg[..2], &jpeg_segment(0xfe, text), &jpeg[2..]].concat()
}

/// Declares another size in the frame header.
fn resized(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
    let frame = jpeg.windows(2).position(|marker| matches!(marker, [0xff, 0xc0..=0xc2])).expect("a frame");
    let mut resized = jpeg.to_vec();
    resized[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    resized[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    resized
}

/// Repeats the last scan.
fn many_scans(jpeg: &[u8], count: usize) -> Vec<u8> {
    let scan = jpeg.windows(2).rposition(|marker| marker == [0xff, 0xda]).expect("a scan");
    let end = jpeg.len() - 2;
    let limit = (5_000_000 / (end - scan)).min(count);
    [&jpeg[..end], &jpeg[scan..end].repeat(limit), &jpeg[end..]].concat()
}

/// A bit writer, lowest bit of each byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for index in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = u8::from(value >> index & 1 == 1);
            *self.bytes.last_mut().expect("a byte") |= bit << (self.used % 8);
            self.used += 1;
        }
    }

    /// Writes a code of one symbol.
    fn push_single_code(&mut self, symbol: u32) {
        self.push(0b101, 3);
        self.push(symbol, 8);
    }

    /// Writes a code of eleven symbols with lengths up to 10, for which a decoder makes a table of 1,024 entries.
    fn push_wide_code(&mut self) {
        self.push(0, 1);
        self.push(15, 4);
        for place in 0..19 {
            // The order is 17, 18, 0 to 5, 16, 6 to 15: sixteen symbols have codes of four bits.
            self.push(if matches!(place, 0 | 1 | 8) { 0 } else { 4 }, 3);
        }
        self.push(1, 1);
        self.push(1, 3);
        self.push(9, 4);
        for length in [1_u32, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10] {
            self.push(length.reverse_bits() >> 28, 4);
        }
    }
}

/// Makes a lossless WebP of one pixel whose codes take over a gigabyte as tables.
fn webp_of_many_codes() -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0x2f, 8);
    bits.push(0, 14); // width: one pixel
    bits.push(0, 14); // height: one pixel
    bits.push(0, 4); // no alpha, version 0
    bits.push(0, 1); // no transform
    bits.push(0, 1); // no colour cache
    bits.push(1, 1); // groups of codes, one for each square of four pixels
    bits.push(0, 3);
    bits.push(0, 1); // no colour cache either
    for symbol in [255, 255, 0, 0, 0] {
        bits.push_single_code(symbol);
    }
    for _ in 0..65_536 * 5 {
        bits.push_wide_code();
    }
    bits.push(0, 32);
    let length = |bytes: usize| u32::try_from(bytes).expect("a few megabytes").to_le_bytes();
    let data = bits.bytes;
    [b"RIFF", &length(data.len() + 12)[..], b"WEBPVP8L", &length(data.len()), &data].concat()
}
