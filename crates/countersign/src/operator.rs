//! For programs that run the accounts: measuring, sweeping, following pictures, metrics. Hosts that only embed them need none of it,
//! and names here may change with any release.

pub use crate::event_counts::AccountsMetrics;
#[cfg(feature = "pictures")]
pub use crate::jobs::{PICTURE_AGE_MIN, SweepPicturesError, SweptPictures};
#[cfg(feature = "s3")]
pub use crate::media::bucket::{BucketPatience, open_bucket};
pub use crate::operations::PUBLISH_AHEAD;
#[cfg(feature = "pictures")]
pub use crate::operations::{MissingPicture, count_pictures, follow_picture, list_pictures};
pub use crate::secrets::{
    HashingMetrics, HashingSpeed, Histogram, generate_secret_key, measure_hashing, random_uuid_v7,
};
