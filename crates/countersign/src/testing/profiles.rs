//! Colour profiles for test pictures: those of well-known colour spaces, and one of inks. Separate from `pictures`, because fuzzers
//! start from them too.

use moxcms::ColorProfile;

/// Returns a valid profile of every kind.
pub fn good() -> Vec<Vec<u8>> {
    let mut all = vec![of_inks()];
    all.extend(
        [
            ColorProfile::new_srgb(),
            ColorProfile::new_display_p3(),
            ColorProfile::new_adobe_rgb(),
            ColorProfile::new_gray_with_gamma(1.8),
        ]
        .map(|profile| profile.encode().expect("a profile")),
    );
    all
}

/// Makes a profile of four inks with a table of two steps each (ICC.1:2022, section 10.10): black reduces brightness, cyan absorbs
/// red, magenta green and yellow blue, within the range of CIELAB.
pub fn of_inks() -> Vec<u8> {
    let mut table = Vec::new();
    for corner in 0..16_u8 {
        let [cyan, magenta, yellow, black] = [corner >> 3 & 1, corner >> 2 & 1, corner >> 1 & 1, corner & 1];
        let brightness = if black == 1 { 40 } else { 240 - 60 * (cyan + magenta) - 10 * yellow };
        table.extend([brightness, 128 - 40 * cyan + 50 * magenta, 128 - 40 * cyan + 60 * yellow]);
    }
    let identity: Vec<u8> = (0..=255).collect();
    let (one, none) = ([0, 1, 0, 0], [0; 4]);
    let matrix = [one, none, none, none, one, none, none, none, one].concat();
    let body = [b"mft1\0\0\0\0\x04\x03\x02\0", &matrix[..], &identity.repeat(4), &table, &identity.repeat(3)].concat();
    let mut head = [0; 128];
    head[8] = 2; // version
    head[12..24].copy_from_slice(b"prtrCMYKLab ");
    head[36..40].copy_from_slice(b"acsp");
    head[68..80].copy_from_slice(b"\0\0\xf6\xd6\0\x01\0\0\0\0\xd3\x2d"); // the white of D50
    let number = |number: usize| u32::try_from(number).expect("a short profile").to_be_bytes();
    let directory = [&number(1)[..], b"A2B0", &number(144), &number(body.len())].concat();
    let mut profile = [&head[..], &directory, &body].concat();
    let length = number(profile.len());
    profile[..4].copy_from_slice(&length);
    profile
}
