//! Pictures: conversion of untrusted uploads into clean files, and their storage.

#[cfg(feature = "s3")]
pub(crate) mod bucket;
#[cfg(feature = "pictures")]
mod decoding_pool;
mod default_picture;
#[cfg(feature = "pictures")]
pub(crate) mod picture;
#[cfg(feature = "pictures")]
mod storage;
#[cfg(feature = "pictures")]
mod upload;

#[cfg(feature = "pictures")]
pub(crate) use decoding_pool::{DecodingPool, PrepareError};
pub(crate) use default_picture::default_picture;
#[cfg(feature = "pictures")]
pub use storage::{Listing, Storage, StorageError, StoredPicture};
#[cfg(feature = "pictures")]
pub use upload::{Upload, UploadError};
