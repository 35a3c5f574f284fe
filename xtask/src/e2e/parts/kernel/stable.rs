// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel that our modules are written for, from the machine's own release.

use super::super::super::apt::Root;
use super::super::Fetch;
use super::{Kernel, Packages, packages, point_to_common, version_in_name};
use crate::failure::Failure;
use std::fs;
use std::path::Path;

pub(crate) const SET: &str = "linux";

/// The series.
const SERIES: &str = "6.12";

impl Kernel {
    /// From the cache or the machine's own suites.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub(crate) fn stable(fetch: &Fetch<'_>) -> Result<Self, Failure> {
        let tree = fetch.set(SET, |machine, place| {
            let root = Root::new(place.clone(), machine, &machine.own(), fetch.progress)?;
            let names = root.names(&packages::image(SERIES))?;
            let release = packages::newest(&names).ok_or_else(|| Failure::Missing {
                what: format!("the Debian mirror has no kernel {SERIES}"),
                advice: "name your own with --kernel and --headers".to_owned(),
            })?;
            let image = packages::image(&release);
            let version = format!("{release}-{}", root.version(&image, None)?);
            if fetch.cache.version(SET, &version).is_some() {
                return Ok((version, None));
            }
            let headers = packages::headers(&release);
            let packages = [
                image,
                headers,
                packages::common(&release),
                packages::kbuild(&release),
            ];
            root.fetch(&packages, fetch.progress)?;
            let tree = place.join("tree");
            root.unpack(&tree, fetch.progress)?;
            Ok((version, Some(tree)))
        })?;
        unpacked(&tree)
    }
}

fn unpacked(tree: &Path) -> Result<Kernel, Failure> {
    let boot = tree.join("boot");
    let release = release_in(tree).ok_or_else(|| Failure::Missing {
        what: format!("{} holds no kernel", boot.display()),
        advice: format!("remove {} and run this again", tree.display()),
    })?;
    let source = tree.join("usr/src");
    let headers = source.join(packages::headers(&release));
    let common = source.join(packages::common(&release));
    point_to_common(
        &headers,
        &format!("include {}/Makefile\n", common.display()),
    )?;
    Ok(Kernel {
        image: boot.join(format!("vmlinuz-{release}")),
        headers,
        modules: tree.join("lib/modules").join(&release),
        packages: packages_in(tree),
        make: Vec::new(),
        release,
    })
}

/// What was unpacked in `tree` came in.
pub(crate) fn packages_in(tree: &Path) -> Option<Packages> {
    let release = release_in(tree)?;
    Some(Packages {
        source: packages::source(SERIES),
        version: version_in_name(tree, SET, &release)?,
        suites: &[],
    })
}

/// The release of the kernel that was unpacked in `tree`.
fn release_in(tree: &Path) -> Option<String> {
    let names = fs::read_dir(tree.join("boot")).ok()?;
    names.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_prefix("vmlinuz-")?.to_owned())
    })
}
