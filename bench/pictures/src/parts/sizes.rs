//! How many bytes a picture of twice the size, or in WebP, would have.

use std::fs;

use bench_kit::broken::Outcome;
use bench_kit::report::Figure;

use crate::Bench;
use crate::peer::Peer;
use crate::photograph::{self, Coding};

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let mut peer = Peer::start(bench)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("photograph.jpg");
    fs::write(&path, photograph::jpeg(4_000, 3_000, Coding::Sequential)?)?;
    let mut figures = Vec::new();
    for (way, side) in
        [("plain", 300), ("plain", 600), ("webp", 300), ("webp", 600), ("webp-lossless", 300), ("webp-lossless", 600)]
    {
        let bytes = peer.make(way, side, &path)?.bytes;
        let format = if way == "plain" { "jpeg" } else { way };
        let name = format!("bytes_{}_{side}", format.replace('-', "_"));
        figures.push(Figure::new(name, bytes as f64, None, "by Pillow, of the same photograph"));
    }
    Ok(figures)
}
