//! The code paths that mix blocks, and the choice of the widest vectors that this processor supports.

use std::fmt;

/// A code path. All paths produce the same bytes. An [`Arena`](crate::Arena) uses [`Path::best`] by default; tests and
/// benchmarks choose others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Path {
    /// Plain Rust, on every processor.
    Portable,
    /// 128-bit vectors, on 64-bit ARM processors.
    Neon,
    /// 256-bit vectors, on x86-64 processors that have AVX2.
    Avx2,
    /// 512-bit vectors, on x86-64 processors that have AVX-512 F.
    Avx512,
}

impl Path {
    /// All paths, slowest first, whether available or not.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// Returns whether this processor and its operating system can run the path.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => std::arch::is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
        }
    }

    /// Returns the paths that can run here, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|path| path.is_available())
    }

    /// Returns the fastest path that can run here.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::Portable)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

/// This processor cannot run the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathNotAvailable(pub Path);

impl fmt::Display for PathNotAvailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this processor cannot run the code path {}", self.0)
    }
}

impl std::error::Error for PathNotAvailable {}
