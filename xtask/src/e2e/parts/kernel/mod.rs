// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A kernel, and what a module for it is built with.

mod kbuild;
pub(crate) mod newer;
mod packages;
pub(crate) mod stable;

use crate::failure::Failure;
use std::fs;
use std::path::{Path, PathBuf};

/// A kernel, its headers and its modules.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) image: PathBuf,
    pub(crate) headers: PathBuf,
    /// Where `kernel/` with its modules lies.
    pub(crate) modules: PathBuf,
    /// The packages it came in, if it was fetched.
    pub(crate) packages: Option<Packages>,
    /// Variables that make is given when it builds a module, `NAME=VALUE`.
    pub(crate) make: Vec<String>,
    /// What `uname -r` says in the guest.
    pub(crate) release: String,
}

/// Where the source of a kernel is found that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packages {
    /// The package with its source.
    pub(crate) source: String,
    /// The version of all its packages.
    pub(crate) version: String,
    /// The suites that have them; none if they are the machine's own.
    pub(crate) suites: &'static [&'static str],
}

impl Kernel {
    /// The user's own.
    pub(crate) fn own(
        image: &Path,
        headers: Option<&Path>,
        modules: Option<&Path>,
    ) -> Result<Self, Failure> {
        let bytes = fs::read(image).map_err(Failure::file(image))?;
        let release = release(&bytes).ok_or_else(|| Failure::Form {
            what: image.display().to_string(),
            why: "is not a bzImage; --kernel takes what is installed as vmlinuz".to_owned(),
        })?;
        let installed = Path::new("/lib/modules").join(&release);
        let headers = headers.map_or_else(|| installed.join("build"), Path::to_owned);
        if !headers.join("Makefile").is_file() {
            return Err(Failure::Missing {
                what: format!("{} holds no headers of Linux {release}", headers.display()),
                advice: "name the directory a module for this kernel is built with: --headers"
                    .to_owned(),
            });
        }
        // Make runs there, and resolves no name of ours.
        let headers = fs::canonicalize(&headers).map_err(Failure::file(&headers))?;
        Ok(Self {
            image: image.to_owned(),
            headers,
            modules: modules.map_or(installed, Path::to_owned),
            packages: None,
            make: Vec::new(),
            release,
        })
    }
}

/// The version in the name of a directory of `set`, `<set>-<release>-<version>`.
fn version_in_name(tree: &Path, set: &str, release: &str) -> Option<String> {
    let name = tree.file_name()?.to_str()?;
    let version = name.strip_prefix(set)?.strip_prefix('-')?;
    let version = version.strip_prefix(release)?.strip_prefix('-')?;
    Some(version.to_owned())
}

/// The headers' Makefile includes that of the headers all flavours share, by a
/// name in the root of the machine it was made for. It becomes `wanted`.
fn point_to_common(headers: &Path, wanted: &str) -> Result<(), Failure> {
    let makefile = headers.join("Makefile");
    if crate::tree::read(&makefile)? == wanted {
        return Ok(());
    }
    let new = headers.join(format!(".Makefile-{}", std::process::id()));
    crate::tree::write(&new, wanted)?;
    fs::rename(&new, &makefile).map_err(Failure::file(&makefile))
}

/// The release a bzImage says it is (Documentation/arch/x86/boot.rst:
/// `HdrS` at 0x202, at 0x20e where the text stands, less 0x200).
fn release(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let at: [u8; 2] = image.get(0x20e..0x210)?.try_into().ok()?;
    let text = image.get(usize::from(u16::from_le_bytes(at)) + 0x200..)?;
    let end = text.iter().position(|&byte| byte == 0 || byte == b' ')?;
    let release = std::str::from_utf8(text.get(..end)?).ok()?;
    // It becomes part of a path.
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+~-".contains(c);
    (!release.is_empty() && release.chars().all(plain)).then(|| release.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bzimage_names_its_release_and_nothing_else_does() {
        let mut image = vec![0; 0x400];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        image[0x300..0x30e].copy_from_slice(b"6.12.1-x (me) ");
        assert_eq!(release(&image).as_deref(), Some("6.12.1-x"));
        image[0x300..0x303].copy_from_slice(b"../");
        assert_eq!(release(&image), None);
        image[0x20e..0x210].copy_from_slice(&u16::MAX.to_le_bytes());
        assert_eq!(release(&image), None);
        assert_eq!(release(b"\x7fELF"), None);
        assert_eq!(release(&[]), None);
    }

    #[test]
    fn the_packages_version_is_in_the_name_of_what_is_cached() {
        let of = |name: &str| version_in_name(Path::new(name), "linux", "6.12.1+deb12-amd64");
        assert_eq!(
            of("/c/linux-6.12.1+deb12-amd64-6.12.1-1~deb12u1").as_deref(),
            Some("6.12.1-1~deb12u1")
        );
        assert_eq!(of("/c/linux-6.12.2+deb12-amd64-6.12.2-1"), None);
    }

    #[test]
    fn an_own_kernel_without_headers_says_how_to_name_them() {
        let image = std::env::temp_dir().join(format!("ims-bzimage-{}", std::process::id()));
        let mut bytes = vec![0; 0x400];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        bytes[0x300..0x306].copy_from_slice(b"0.0.1-");
        fs::write(&image, bytes).unwrap();
        let failure = Kernel::own(&image, None, None).unwrap_err().to_string();
        assert!(failure.contains("--headers"), "{failure}");
        fs::remove_file(image).unwrap();
    }
}
