// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's only program beside the kernel.

use super::super::apt::Root;
use super::Fetch;
use crate::failure::Failure;
use std::path::PathBuf;

pub(crate) const SET: &str = "busybox";

const PACKAGE: &str = "busybox-static";

/// Where it lies, before and after directories were merged under `/usr`.
const PROGRAMS: [&str; 2] = ["bin/busybox", "usr/bin/busybox"];

/// The program, from the cache or the machine's own suites.
pub(crate) fn fetched(fetch: &Fetch<'_>) -> Result<PathBuf, Failure> {
    let place = fetch.set(SET, |machine, place| {
        let root = Root::new(place.clone(), machine, &machine.own(), fetch.progress)?;
        let version = root.version(PACKAGE, None)?;
        if fetch.cache.version(SET, &version).is_some() {
            return Ok((version, None));
        }
        root.fetch(&[PACKAGE.to_owned()], fetch.progress)?;
        let tree = place.join("tree");
        root.unpack(&tree, fetch.progress)?;
        Ok((version, Some(tree)))
    })?;
    PROGRAMS
        .iter()
        .map(|program| place.join(program))
        .find(|program| program.is_file())
        .ok_or_else(|| Failure::Missing {
            what: format!("{} holds no busybox", place.display()),
            advice: "remove that directory and run this again".to_owned(),
        })
}
