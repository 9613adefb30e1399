//! Limit on the prefix code tables of a lossless WebP: a file of 5 MiB can make a decoder build more than a gigabyte of
//! them. Reads up to those tables and decodes no picture (RFC 9649, sections 3 to 6).

use super::InvalidPicture;

/// Maximum size of the tables for a picture of any size, in bytes. Encoders stay far below.
const TABLES_BYTES_MAX: u64 = 48 * 1024 * 1024;
/// Codes longer than this continue from the table into a tree.
const TABLE_BITS: usize = 10;
const LENGTH_MAX: usize = 15;
/// Number of distance symbols. There are fewer for lengths.
const DISTANCES: u32 = 40;

/// Returns an upper bound on the tables of all lossless parts of the file, in bytes.
pub(super) fn tables_bytes(file: &[u8], canvas: (u32, u32)) -> Result<u64, InvalidPicture> {
    chunks(file.get(12..).unwrap_or_default(), canvas, Within::File)
}

/// Where chunks occur.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    File,
    /// A frame contains no frames.
    Frame,
}

fn chunks(mut rest: &[u8], canvas: (u32, u32), within: Within) -> Result<u64, InvalidPicture> {
    let mut bytes: u64 = 0;
    while let Some((header, after)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let body = &after[..length.min(after.len())];
        bytes = bytes.max(match &header[..4] {
            b"VP8L" => Scan::new(body).picture()?,
            // Alpha in the same coding, without its header.
            b"ALPH" if body.first().is_some_and(|flags| flags & 3 == 1) => {
                Scan::new(&body[1..]).stream(canvas.0, canvas.1)?
            }
            b"ANMF" if within == Within::Frame => return Err(InvalidPicture::broken("a frame in a frame")),
            b"ANMF" if body.len() >= 16 => {
                let size = |at: usize| 1 + u32::from_le_bytes([body[at], body[at + 1], body[at + 2], 0]);
                chunks(&body[16..], (size(6), size(9)), Within::Frame)?
            }
            _ => 0,
        });
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    Ok(bytes)
}

/// Reads bits, the lowest of each byte first.
struct Scan<'b> {
    bytes: &'b [u8],
    bit: usize,
}

/// A canonical prefix code: the number of codes of each length, and their symbols in order.
struct Code {
    counts: [u16; LENGTH_MAX + 1],
    symbols: Vec<u16>,
}

impl<'b> Scan<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, bit: 0 }
    }

    fn bits(&mut self, count: u32) -> Result<u32, InvalidPicture> {
        let mut value = 0;
        for index in 0..count {
            let byte = self.bytes.get(self.bit / 8).ok_or_else(|| InvalidPicture::broken("cut off"))?;
            value |= u32::from(byte >> (self.bit % 8) & 1) << index;
            self.bit += 1;
        }
        Ok(value)
    }

    fn picture(&mut self) -> Result<u64, InvalidPicture> {
        if self.bits(8)? != 0x2f {
            return Err(InvalidPicture::broken("not lossless WebP"));
        }
        let (width, height) = (self.bits(14)? + 1, self.bits(14)? + 1);
        self.bits(4)?;
        self.stream(width, height)
    }

    /// Reads everything before the pixels: transforms, then the codes.
    fn stream(&mut self, mut width: u32, height: u32) -> Result<u64, InvalidPicture> {
        let mut transforms = 0_u32;
        while self.bits(1)? == 1 {
            let kind = self.bits(2)?;
            if transforms & (1 << kind) != 0 {
                return Err(InvalidPicture::broken("a transform twice"));
            }
            transforms |= 1 << kind;
            match kind {
                0 | 1 => {
                    let bits = self.bits(3)? + 2;
                    self.small_picture(width.div_ceil(1 << bits), height.div_ceil(1 << bits))?;
                }
                3 => {
                    let colours = self.bits(8)? + 1;
                    self.small_picture(colours, 1)?;
                    let packed = match colours {
                        0..=2 => 3,
                        3..=4 => 2,
                        5..=16 => 1,
                        _ => 0,
                    };
                    width = width.div_ceil(1 << packed);
                }
                _ => {}
            }
        }
        let cache_bits = self.cache_bits()?;
        let mut groups = 1;
        if self.bits(1)? == 1 {
            let bits = self.bits(3)? + 2;
            groups += u64::from(self.small_picture(width.div_ceil(1 << bits), height.div_ceil(1 << bits))?);
        }
        let mut bytes = 0;
        for _ in 0..groups {
            for alphabet in alphabets(cache_bits) {
                bytes += self.code(alphabet)?.table_bytes();
                if bytes > TABLES_BYTES_MAX {
                    return Err(InvalidPicture::TooMuchMemory);
                }
            }
        }
        Ok(bytes)
    }

    /// Skips a picture within the header. Returns the highest red and green of its pixels as one number; copies of
    /// earlier pixels cannot be higher.
    fn small_picture(&mut self, width: u32, height: u32) -> Result<u32, InvalidPicture> {
        let cache_bits = self.cache_bits()?;
        let mut codes = Vec::with_capacity(5);
        for alphabet in alphabets(cache_bits) {
            codes.push(self.code(alphabet)?);
        }
        let pixels = u64::from(width) * u64::from(height);
        let (mut at, mut highest) = (0, 0);
        while at < pixels {
            let green = self.symbol(&codes[0])?;
            at += match green {
                0..=255 => {
                    let red = self.symbol(&codes[1])?;
                    highest = highest.max(red << 8 | green);
                    self.symbol(&codes[2])?;
                    self.symbol(&codes[3])?;
                    1
                }
                256..=279 => {
                    let length = self.prefixed(green - 256)?;
                    let distance = self.symbol(&codes[4])?;
                    self.prefixed(distance)?;
                    u64::from(length)
                }
                _ => 1,
            };
        }
        Ok(highest)
    }

    fn cache_bits(&mut self) -> Result<u32, InvalidPicture> {
        if self.bits(1)? == 0 {
            return Ok(0);
        }
        match self.bits(4)? {
            bits @ 1..=11 => Ok(bits),
            _ => Err(InvalidPicture::broken("colour cache")),
        }
    }

    /// Reads a length or distance. A code of a single symbol can name one outside its alphabet.
    fn prefixed(&mut self, symbol: u32) -> Result<u32, InvalidPicture> {
        if symbol < 4 {
            return Ok(symbol + 1);
        }
        if symbol >= DISTANCES {
            return Err(InvalidPicture::broken("prefix code"));
        }
        let extra = (symbol - 2) >> 1;
        Ok(((2 + (symbol & 1)) << extra) + self.bits(extra)? + 1)
    }

    fn symbol(&mut self, code: &Code) -> Result<u32, InvalidPicture> {
        if let [only] = code.symbols[..] {
            return Ok(only.into());
        }
        let (mut word, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for count in &code.counts[1..] {
            word |= self.bits(1)?;
            let count = u32::from(*count);
            if word < first + count {
                let symbol = code.symbols.get((index + word - first) as usize);
                return symbol.map(|symbol| u32::from(*symbol)).ok_or_else(|| InvalidPicture::broken("prefix code"));
            }
            index += count;
            first = (first + count) << 1;
            word <<= 1;
        }
        Err(InvalidPicture::broken("prefix code"))
    }

    /// Reads a prefix code (section 6.2.1).
    fn code(&mut self, alphabet: u16) -> Result<Code, InvalidPicture> {
        const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let mut lengths = vec![0_u8; usize::from(alphabet).max(256)];
        if self.bits(1)? == 1 {
            let two = self.bits(1)? == 1;
            let width = if self.bits(1)? == 1 { 8 } else { 1 };
            lengths[self.bits(width)? as usize] = 1;
            if two {
                lengths[self.bits(8)? as usize] = 1;
            }
            return Ok(Code::new(&lengths));
        }
        let mut code_lengths = [0_u8; 19];
        let count = self.bits(4)? as usize + 4;
        for place in &ORDER[..count] {
            code_lengths[*place] = u8::try_from(self.bits(3)?).unwrap_or_default();
        }
        let code = Code::new(&code_lengths);
        let mut left = if self.bits(1)? == 1 {
            let bits = 2 + 2 * self.bits(3)?;
            2 + self.bits(bits)?
        } else {
            alphabet.into()
        };
        let (mut at, mut previous) = (0, 8);
        while at < usize::from(alphabet) && left > 0 {
            left -= 1;
            let (length, repeat) = match self.symbol(&code)? {
                16 => (previous, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => (u8::try_from(length).unwrap_or_default(), 1),
            };
            if length != 0 {
                previous = length;
            }
            let end = at + repeat as usize;
            if end > usize::from(alphabet) {
                return Err(InvalidPicture::broken("prefix code"));
            }
            lengths[at..end].fill(length);
            at = end;
        }
        Ok(Code::new(&lengths))
    }
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; LENGTH_MAX + 1];
        for length in lengths {
            counts[usize::from(*length)] += 1;
        }
        counts[0] = 0;
        let mut places = [0; LENGTH_MAX + 1];
        let mut total = 0;
        for (place, count) in places.iter_mut().zip(counts) {
            *place = total;
            total += usize::from(count);
        }
        let mut symbols = vec![0; total];
        for (symbol, length) in (0..).zip(lengths).filter(|(_, length)| **length > 0) {
            let place = &mut places[usize::from(*length)];
            symbols[*place] = symbol;
            *place += 1;
        }
        Self { counts, symbols }
    }

    /// Returns the memory of a decoder for the code: a table by the first bits, and a tree for longer codes.
    fn table_bytes(&self) -> u64 {
        const OBJECT_BYTES: u64 = 64;
        const ENTRY_BYTES: u64 = 4;
        const NODE_BYTES: u64 = 16;
        let longest = self.counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let in_tree: u64 = self.counts[TABLE_BITS + 1..].iter().map(|count| u64::from(*count)).sum();
        OBJECT_BYTES + (ENTRY_BYTES << longest.min(TABLE_BITS)) + 4 * NODE_BYTES * in_tree
    }
}

/// Returns the alphabet sizes: green with lengths and cache, red, blue, alpha, distance.
fn alphabets(cache_bits: u32) -> [u16; 5] {
    let cache = if cache_bits == 0 { 0 } else { 1 << cache_bits };
    [256 + 24 + cache, 256, 256, 256, 40]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_that_its_alphabet_does_not_have_is_refused() {
        let mut scan = Scan::new(&[0xff; 32]);
        assert_eq!(scan.prefixed(DISTANCES - 1).unwrap(), (3 << 18) + (1 << 18));
        for symbol in [DISTANCES, 66, 255] {
            assert!(scan.prefixed(symbol).is_err(), "{symbol}");
        }
    }

    #[test]
    fn frames_in_frames_are_refused_at_any_place() {
        let chunk = |name: &[u8; 4], body: &[u8]| {
            let length = u32::try_from(body.len()).unwrap().to_le_bytes();
            [name.as_slice(), &length, body].concat()
        };
        let mut inner = Vec::new();
        for _ in 0..1_000 {
            inner = chunk(b"ANMF", &[vec![0; 16], chunk(b"EXIF", b""), inner].concat());
        }
        let file = [vec![0; 12], inner].concat();
        assert_eq!(tables_bytes(&file, (1, 1)), Err(InvalidPicture::broken("a frame in a frame")));
    }
}
