//! Compiles the C reference implementation in its fastest form: its optimised code for this very processor.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=ARGON2_C_SOURCE");
    let Some(source) = std::env::var_os("ARGON2_C_SOURCE").map(PathBuf::from) else {
        // Enough for `cargo check`, which does not link.
        println!(
            "cargo::warning=without ARGON2_C_SOURCE this cannot be linked: start the benchmark with bench/argon2/run"
        );
        return;
    };
    let files = ["argon2.c", "core.c", "encoding.c", "thread.c", "opt.c", "blake2/blake2b.c"];
    cc::Build::new()
        .files(files.map(|file| source.join("src").join(file)))
        .include(source.join("include"))
        .include(source.join("src"))
        .opt_level(3)
        .flag("-march=native")
        .warnings(false)
        .compile("argon2_c");
    println!("cargo::rustc-link-lib=pthread");
}
