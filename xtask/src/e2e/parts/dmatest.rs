// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel's own test of DMA engines. Debian builds no module of it, so its
//! source is taken, one file of the source of the very kernel that is booted, and
//! built as it is.

use super::super::apt::{Machine, Root};
use super::super::cache::Cache;
use super::kernel::Packages;
use super::{Busybox, Fetch, Kernel};
use crate::failure::Failure;
use std::fs;
use std::path::PathBuf;

pub(crate) const SET: &str = "dmatest";

const FILE: &str = "dmatest.c";

/// Its source; none for a user's own kernel, of which we know no source.
pub(crate) fn fetched(
    fetch: &Fetch<'_>,
    kernel: &Kernel,
    busybox: &Busybox,
) -> Result<Option<PathBuf>, Failure> {
    let Some(packages) = &kernel.packages else {
        return Ok(None);
    };
    let (package, version) = (&packages.source, &packages.version);
    if let Some(place) = fetch.cache.version(SET, version) {
        return Ok(Some(place.join(FILE)));
    }
    let machine = Machine::here()?;
    let unfinished = fetch.cache.unfinished(SET)?;
    let place = unfinished.place();
    let sources = match packages.suites {
        [] => machine.own(),
        suites => machine.suites(suites),
    };
    let root = Root::new(place.join("apt"), &machine, &sources, fetch.progress)?;
    root.fetch(&[format!("{package}={version}")], fetch.progress)?;
    let unpacked = place.join("unpacked");
    root.unpack(&unpacked, fetch.progress)?;
    let archive = unpacked.join(format!("usr/src/{package}.tar.xz"));
    let file = busybox.take_out(&archive, &format!("{package}/drivers/dma/{FILE}"), place)?;
    // All else is 150 MB that nobody needs.
    let tree = place.join("tree");
    fs::create_dir(&tree).map_err(Failure::file(&tree))?;
    fs::rename(&file, tree.join(FILE)).map_err(Failure::file(&file))?;
    let kept = fetch.cache.keep(SET, version, &tree)?;
    Ok(Some(kept.join(FILE)))
}

/// Whether the one for the kernel of these packages is in the cache.
pub(crate) fn is_cached(cache: &Cache, packages: &Packages) -> bool {
    cache.version(SET, &packages.version).is_some()
}
