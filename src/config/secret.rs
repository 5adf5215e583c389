//! Values that are never shown, and the token secret that the server makes for itself.

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value;

/// A file in the data folder.
const FILE: &str = "jwt-secret";
/// HS256 is as strong as its secret up to the length of its hash.
const STRONG_BYTES: usize = 32;
const MASK: &str = "********";

/// Text that logs, errors and `collabflow config` show as stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is too short to be safe as an HS256 secret.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.0.len() < STRONG_BYTES
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::read(deserializer, "text that is not empty", |text| {
            (!text.is_empty()).then(|| Self(text.to_owned()))
        })
    }
}

/// The secret that is kept in the data folder.
#[derive(Debug)]
pub struct MadeSecret {
    /// The secret.
    pub secret: Secret,
    /// Where it is kept.
    pub path: PathBuf,
    /// It was made just now.
    pub is_new: bool,
}

impl MadeSecret {
    /// Reads the folder's secret, or makes one. Processes that start at the same time end up with the same one.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or the file is empty.
    pub fn keep_in(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let is_new = match fs::read_to_string(&path) {
            Ok(text) => return Self::kept(&text, path, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(folder, &path)?,
            Err(error) => return Err(error),
        };
        Self::kept(&fs::read_to_string(&path)?, path, is_new)
    }

    fn kept(text: &str, path: PathBuf, is_new: bool) -> io::Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is empty",
            ));
        }
        Ok(Self {
            secret: Secret::new(text),
            path,
            is_new,
        })
    }
}

/// Puts a new secret at `path` unless somebody else was first; the file is never seen half written.
fn make(folder: &Path, path: &Path) -> io::Result<bool> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let text = Alphanumeric.sample_string(&mut rand::rng(), 48);
    let draft = folder.join(format!("{FILE}.{}", std::process::id()));
    write_private(&draft, &text)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
