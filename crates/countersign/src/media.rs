//! Pictures: conversion of untrusted uploads into clean files, and their storage.

pub(crate) mod bucket;
mod decoding_pool;
mod default_picture;
pub(crate) mod picture;
mod storage;
mod upload;

pub(crate) use decoding_pool::{DecodingPool, PrepareError};
pub(crate) use default_picture::default_picture;
pub use storage::{Listing, Storage, StorageError, StoredPicture};
pub use upload::{Upload, UploadError};
