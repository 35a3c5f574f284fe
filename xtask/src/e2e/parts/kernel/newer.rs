// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A second kernel, to see that nothing of ours leans on one driver alone: a series
//! from the backports of the release that has the emulator, too.
//!
//! Its packages are cut otherwise: the image depends on `linux-binary` (the kernel)
//! and `linux-modules`, and all lies below `usr`. Its build programs want that
//! release's C library, which comes along (see `kbuild`).

use super::super::super::apt::Root;
use super::super::Fetch;
use super::{Kernel, Packages, kbuild, packages, point_to_common, version_in_name};
use crate::failure::Failure;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const SET: &str = "newer-linux";

/// The series that is looked for first; without it, whatever is newest.
const SERIES: &str = "7.2";

const SUITES: [&str; 2] = ["trixie", "trixie-backports"];

/// Of the modules, where the driver of DSA and what it depends on lie. All others
/// are 150 MB that nobody needs.
const DRIVERS: &str = "kernel/drivers/dma";

impl Kernel {
    /// From the cache or the mirror.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub(crate) fn newer(fetch: &Fetch<'_>) -> Result<Self, Failure> {
        let tree = fetch.set(SET, |machine, place| {
            let sources = machine.suites(&SUITES);
            let root = Root::new(place.clone(), machine, &sources, fetch.progress)?;
            let release = release(&root)?;
            let image = packages::image(&release);
            let version = format!("{release}-{}", root.version(&image, None)?);
            if fetch.cache.version(SET, &version).is_some() {
                return Ok((version, None));
            }
            let [_, backports] = SUITES;
            // With the libraries that its programs are linked with.
            root.fetch_closure(&packages::kbuild(&release), Some(backports), fetch.progress)?;
            let packages = [
                format!("linux-binary-{release}"),
                format!("linux-base-{release}"),
                format!("linux-modules-{release}"),
                packages::headers(&release),
                packages::common(&release),
            ];
            root.fetch(&packages, fetch.progress)?;
            let whole = place.join("whole");
            root.unpack(&whole, fetch.progress)?;
            let tree = place.join("tree");
            pick(&whole, &release, &tree)?;
            kbuild::carry(&tree.join("usr/lib").join(packages::kbuild(&release)))?;
            Ok((version, Some(tree)))
        })?;
        unpacked(&tree)
    }
}

fn release(root: &Root) -> Result<String, Failure> {
    for prefix in [packages::image(SERIES), packages::image("")] {
        if let Some(release) = packages::newest(&root.names(&prefix)?) {
            return Ok(release);
        }
    }
    Err(Failure::Missing {
        what: format!("{} of the Debian mirror has no kernel", SUITES.join(", ")),
        advice: "is the mirror complete? name your own kernel with --kernel and --headers, \
                 and nothing newer is booted"
            .to_owned(),
    })
}

/// Moves what is needed of `whole` to `tree`, each to the same place.
fn pick(whole: &Path, release: &str, tree: &Path) -> Result<(), Failure> {
    let modules = modules(release);
    let needed = [
        modules.join("vmlinuz"),
        modules.join("modules.builtin"),
        modules.join(DRIVERS),
        Path::new("usr/src").join(packages::headers(release)),
        Path::new("usr/src").join(packages::common(release)),
        Path::new("usr/lib").join(packages::kbuild(release)),
        kbuild::LIBRARIES.into(),
    ];
    for path in needed {
        let (from, to) = (whole.join(&path), tree.join(&path));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(Failure::file(parent))?;
        }
        fs::rename(&from, &to).map_err(Failure::file(&from))?;
    }
    Ok(())
}

fn modules(release: &str) -> PathBuf {
    Path::new("usr/lib/modules").join(release)
}

fn unpacked(tree: &Path) -> Result<Kernel, Failure> {
    let release = release_in(tree).ok_or_else(|| Failure::Missing {
        what: format!("{} holds no kernel", tree.display()),
        advice: "remove that directory and run this again".to_owned(),
    })?;
    let source = tree.join("usr/src");
    let headers = source.join(packages::headers(&release));
    let common = source.join(packages::common(&release));
    // Since 6.13 the shared Makefile goes to where it is told, not to where it is
    // called.
    let makefile = format!(
        "KBUILD_OUTPUT={}\ninclude {}/Makefile\n",
        headers.display(),
        common.display()
    );
    point_to_common(&headers, &makefile)?;
    let modules = tree.join(modules(&release));
    Ok(Kernel {
        image: modules.join("vmlinuz"),
        make: kbuild::compiler(&headers, crate::command::is_installed),
        headers,
        modules,
        packages: packages_in(tree),
        release,
    })
}

/// What was unpacked in `tree` came in.
pub(crate) fn packages_in(tree: &Path) -> Option<Packages> {
    let release = release_in(tree)?;
    Some(Packages {
        source: packages::source(&packages::series(&release)?),
        version: version_in_name(tree, SET, &release)?,
        suites: &SUITES,
    })
}

fn release_in(tree: &Path) -> Option<String> {
    let mut releases = fs::read_dir(tree.join("usr/lib/modules")).ok()?.flatten();
    releases.next()?.file_name().into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    const RELEASE: &str = "7.2.1+deb13-amd64";

    #[test]
    fn only_what_is_needed_is_picked_and_what_is_missing_is_named() {
        let base = std::env::temp_dir().join(format!("ims-newer-{}", std::process::id()));
        let (whole, picked) = (base.join("whole"), base.join("tree"));
        let modules = whole.join("usr/lib/modules").join(RELEASE);
        for file in [
            "vmlinuz",
            "modules.builtin",
            "kernel/drivers/dma/idxd/idxd.ko.xz",
            "kernel/drivers/net/other.ko.xz",
        ] {
            tree::write(&modules.join(file), "").unwrap();
        }
        for file in [
            "usr/src/linux-headers-7.2.1+deb13-amd64/Makefile",
            "usr/src/linux-headers-7.2.1+deb13-common/Makefile",
            "usr/lib/x86_64-linux-gnu/libc.so.6",
            "usr/share/doc/x",
        ] {
            tree::write(&whole.join(file), "").unwrap();
        }
        let absent = pick(&whole, RELEASE, &base.join("first")).unwrap_err();
        assert!(absent.to_string().contains("linux-kbuild-7.2.1+deb13"));

        fs::rename(base.join("first"), base.join("again")).unwrap();
        let whole = base.join("again");
        tree::write(&whole.join("usr/lib/linux-kbuild-7.2.1+deb13/x"), "").unwrap();
        tree::write(&whole.join("usr/lib/x86_64-linux-gnu/libc.so.6"), "").unwrap();
        pick(&whole, RELEASE, &picked).unwrap();
        let modules = picked.join("usr/lib/modules").join(RELEASE);
        assert!(modules.join("kernel/drivers/dma/idxd/idxd.ko.xz").is_file());
        assert!(!modules.join("kernel/drivers/net").exists());
        assert!(!picked.join("usr/share").exists());
        assert_eq!(release_in(&picked).as_deref(), Some(RELEASE));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn its_source_is_of_the_same_series_and_version() {
        let base = std::env::temp_dir().join(format!("ims-newer-source-{}", std::process::id()));
        let tree = base.join(format!("newer-linux-{RELEASE}-7.2.1-1~bpo13+1"));
        fs::create_dir_all(tree.join("usr/lib/modules").join(RELEASE)).unwrap();
        let packages = packages_in(&tree).unwrap();
        assert_eq!(packages.source, "linux-source-7.2");
        assert_eq!(packages.version, "7.2.1-1~bpo13+1");
        fs::remove_dir_all(base).unwrap();
    }
}
