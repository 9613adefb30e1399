//! Compiles the C reference implementation, in the fastest form it has: its optimised code for this very processor.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=ARGON2_C_SOURCE");
    let source =
        std::env::var_os("ARGON2_C_SOURCE").expect("ARGON2_C_SOURCE is not set: start the benchmark with ./run");
    let source = PathBuf::from(source);
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
