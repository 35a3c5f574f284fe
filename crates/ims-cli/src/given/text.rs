// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads a file of fields, whatever it may turn out to be.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::GivenError;
use super::origin::Place;

/// The largest file read, in bytes.
const LIMIT: u64 = 1 << 20;

/// Reads the text of the file at `path`; `what` says what one is, to who gives
/// something much larger.
pub(crate) fn read(path: &Path, what: &'static str) -> Result<String, GivenError> {
    let name = path.display().to_string();
    let unreadable = |why: String| GivenError::Read {
        path: name.clone(),
        why,
    };
    let failed = |error: std::io::Error| unreadable(error.to_string());
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(unreadable("it is a directory".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(GivenError::TooLarge {
            path: name,
            limit: LIMIT,
            what,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let before = String::from_utf8_lossy(before);
        GivenError::Syntax {
            place: Place::new(&name, &before, before.len()),
            what: "it is not text in UTF-8".to_owned(),
        }
    })
}
