//! Reduction of a picture while its rows arrive, so that its memory does not grow with its height: every square of
//! pixels becomes their mean.

use super::SHORTER_SIDE_MIN;

/// Takes rows and keeps a picture reduced by an integer factor.
pub(super) struct Shrink {
    factor: usize,
    width: usize,
    height: usize,
    /// Sums of the rows that do not yet make up a row of the result.
    sums: Vec<u32>,
    rows_summed: u32,
    rgb: Vec<u8>,
}

impl Shrink {
    /// Creates a reduction by the largest factor that leaves the shorter side long enough.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let factor = (width.min(height) / SHORTER_SIDE_MIN).max(1) as usize;
        let (width, height) = ((width as usize).div_ceil(factor), (height as usize).div_ceil(factor));
        let sums = if factor == 1 { Vec::new() } else { vec![0; width * 3] };
        Self { factor, width, height, sums, rows_summed: 0, rgb: Vec::with_capacity(width * height * 3) }
    }

    /// Returns the memory of the result, in bytes.
    pub(super) fn memory_bytes(width: u32, height: u32) -> u64 {
        let factor = u64::from((width.min(height) / SHORTER_SIDE_MIN).max(1));
        u64::from(width).div_ceil(factor) * u64::from(height).div_ceil(factor) * 3
    }

    /// Adds the next row: red, green and blue of each pixel across the width of the picture.
    pub(super) fn push(&mut self, row: &[u8]) {
        if self.factor == 1 {
            self.rgb.extend_from_slice(row);
            return;
        }
        for (sums, pixels) in self.sums.chunks_exact_mut(3).zip(row.chunks(self.factor * 3)) {
            for pixel in pixels.chunks_exact(3) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += u32::from(*value);
                }
            }
        }
        self.rows_summed += 1;
        if self.rows_summed as usize == self.factor {
            self.flush(row.len() / 3);
        }
    }

    /// Returns the result with its width and height. Missing rows are white.
    pub(super) fn finish(mut self, source_width: u32) -> (u32, u32, Vec<u8>) {
        if self.rows_summed > 0 {
            self.flush(source_width as usize);
        }
        self.rgb.resize(self.width * self.height * 3, u8::MAX);
        // Both are at most those of the picture, which have this type.
        let (width, height) = (u32::try_from(self.width), u32::try_from(self.height));
        (width.unwrap_or(u32::MAX), height.unwrap_or(u32::MAX), self.rgb)
    }

    fn flush(&mut self, source_width: usize) {
        for (index, sums) in self.sums.chunks_exact_mut(3).enumerate() {
            // The last square of a row may be narrower.
            let columns = self.factor.min(source_width - index * self.factor);
            let count = u32::try_from(columns).unwrap_or(u32::MAX) * self.rows_summed;
            for sum in sums {
                self.rgb.push(u8::try_from((*sum + count / 2) / count).unwrap_or(u8::MAX));
                *sum = 0;
            }
        }
        self.rows_summed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_picture_is_kept_as_it_is() {
        let mut shrink = Shrink::new(2, 1);
        shrink.push(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(shrink.finish(2), (2, 1, vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn a_large_picture_becomes_means_also_at_its_edges() {
        let (width, height) = (1_801, 1_802);
        let mut shrink = Shrink::new(width, height);
        for y in 0..height {
            let row: Vec<u8> = (0..width)
                .flat_map(|x| [if x == width - 1 { 200 } else { 30 }, 60, if y < 3 { 90 } else { 0 }])
                .collect();
            shrink.push(&row);
        }
        let (shrunk_width, shrunk_height, rgb) = shrink.finish(width);
        assert_eq!((shrunk_width, shrunk_height), (601, 601));
        assert_eq!(rgb.len() as u64, Shrink::memory_bytes(width, height));
        assert_eq!(rgb[..3], [30, 60, 90]);
        assert_eq!(rgb[600 * 3..601 * 3], [200, 60, 90]);
        assert_eq!(rgb[601 * 3..602 * 3], [30, 60, 0]);
        assert_eq!(rgb[rgb.len() - 6..], [30, 60, 0, 200, 60, 0]);
    }
}
