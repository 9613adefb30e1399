//! An artificial photograph: soft shapes, finer ones, and a sensor's noise, so that its JPEG is as large as a camera's.

use bench_kit::broken::Outcome;
use countersign::testing::pictures::Numbers;

/// A JPEG of quality 85 with halved colours.
pub(crate) fn jpeg(width: u16, height: u16, coding: Coding) -> Outcome<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 85);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.set_progressive(coding == Coding::Progressive);
    encoder.set_optimized_huffman_tables(true);
    encoder.encode(&pixels(width, height), width, height, jpeg_encoder::ColorType::Rgb)?;
    Ok(file)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Sequential,
    Progressive,
}

fn pixels(width: u16, height: u16) -> Vec<u8> {
    let (coarse, fine) = (Field::new(80, 1), Field::new(600, 2));
    let mut noise = Numbers::seeded(3);
    let mut rgb = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (f32::from(x) / f32::from(width), f32::from(y) / f32::from(width));
            let grain = (0..4).map(|_| noise.below(11) as f32 - 5.0).sum::<f32>() * 0.7;
            for channel in 0..3 {
                let value = 0.65 * coarse.at(u, v, channel) + 0.3 * fine.at(u, v, channel) + grain;
                rgb.push(value.clamp(0.0, 255.0) as u8);
            }
        }
    }
    rgb
}

/// Random values at the knots of a grid, interpolated between them.
struct Field {
    knots: usize,
    values: Vec<f32>,
}

impl Field {
    fn new(knots: usize, seed: u64) -> Self {
        let mut numbers = Numbers::seeded(seed);
        let values = (0..(knots + 2) * (knots + 2) * 3).map(|_| numbers.below(256) as f32).collect();
        Self { knots, values }
    }

    fn at(&self, u: f32, v: f32, channel: usize) -> f32 {
        let (x, y) = (u * self.knots as f32, v * self.knots as f32);
        let (left, top) = (x as usize, y as usize);
        let (right_share, bottom_share) = (x - left as f32, y - top as f32);
        let value = |x: usize, y: usize| self.values[(y * (self.knots + 2) + x) * 3 + channel];
        let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
        let upper = mix(value(left, top), value(left + 1, top), right_share);
        let lower = mix(value(left, top + 1), value(left + 1, top + 1), right_share);
        mix(upper, lower, bottom_share)
    }
}
