//! The screen of a GIF and its first frame, which may differ in size and position.

use super::*;

/// Builds a GIF with this screen size and one frame of the four quarters.
fn gif(screen: (u16, u16), place: (u16, u16), size: (u16, u16)) -> Vec<u8> {
    let palette = QUARTERS.concat();
    let (width, height) = (usize::from(size.0), usize::from(size.1));
    let quarter = |at: usize| u8::from(at % width >= width / 2) + 2 * u8::from(at / width >= height / 2);
    let pixels: Vec<u8> = (0..width * height).map(quarter).collect();
    let mut frame = ::gif::Frame::from_indexed_pixels(size.0, size.1, pixels, None);
    (frame.left, frame.top) = place;
    let mut file = Vec::new();
    let mut encoder = ::gif::Encoder::new(&mut file, screen.0, screen.1, &palette).unwrap();
    encoder.write_frame(&frame).unwrap();
    drop(encoder);
    file
}

#[test]
fn the_whole_first_frame_of_a_gif_is_shown_whatever_its_screen() {
    for screen in [(400, 400), (200, 200), (1, 1), (0, 0), (400, 10), (10, 400)] {
        let found = colours(&prepare(&gif(screen, (0, 0), (400, 400))).unwrap());
        assert!(is_near(found, QUARTERS, 6), "{screen:?}: {found:?}");
    }
}

#[test]
fn a_frame_of_a_gif_stays_at_its_place_on_white() {
    let white = [255; 3];
    for (screen, place, size, expected) in [
        ((400, 400), (200, 200), (200, 200), [white, white, white, QUARTERS[0]]),
        // The frame exceeds the screen, which grows.
        ((300, 300), (200, 200), (200, 200), [white, white, white, QUARTERS[0]]),
        ((10, 10), (200, 0), (200, 400), [white, QUARTERS[0], white, QUARTERS[2]]),
    ] {
        let pixels = pixels(&prepare(&gif(screen, place, size)).unwrap());
        // The centres of the quarters, and points a little before them, which lie in the frame's first quarter.
        let found = [(75, 75), (175, 75), (75, 175), (175, 175)].map(|(x, y)| {
            let at = (y * 300 + x) * 3;
            [pixels[at], pixels[at + 1], pixels[at + 2]]
        });
        assert!(is_near(found, expected, 6), "{screen:?}: {found:?}");
    }
}

#[test]
fn a_frame_too_far_away_is_refused_before_it_is_decoded() {
    for (screen, place) in [((10, 10), (60_000, 0)), ((16_000, 10), (0, 16_000)), ((10, 10), (16_380, 0))] {
        let inspected = Candidate::inspect(&gif(screen, place, (20, 20))).map(|candidate| candidate.memory_bytes());
        assert_eq!(inspected, Err(InvalidPicture::TooLarge), "{place:?}");
    }
}
