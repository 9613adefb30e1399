//! The picture that is uploaded: a JPEG of a telephone's size with soft shapes and a sensor's noise.

use bench_kit::broken::{Outcome, While as _};

const WIDTH: u16 = 1600;
const HEIGHT: u16 = 1200;

pub(crate) fn jpeg() -> Outcome<Vec<u8>> {
    let mut rgb = Vec::with_capacity(usize::from(WIDTH) * usize::from(HEIGHT) * 3);
    let mut noise = 0x2545_f491_u32;
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            for channel in 0..3_u8 {
                // Marsaglia's xorshift: good enough for grain.
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                let grain = f32::from((noise >> 24) as u8) / 255.0 * 24.0 - 12.0;
                let phase = f32::from(channel) * 2.1;
                let soft = (f32::from(x) / 190.0 + phase).sin() + (f32::from(y) / 130.0 - phase).cos();
                rgb.push((127.0 + soft * 55.0 + grain).clamp(0.0, 255.0) as u8);
            }
        }
    }
    let mut file = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut file, 85);
    encoder.encode(&rgb, WIDTH, HEIGHT, jpeg_encoder::ColorType::Rgb).doing("encoding a picture")?;
    Ok(file)
}
