//! Decides what becomes of pictures: how a stranger's bytes turn into a clean file, and where the files are kept.

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
