// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A kernel, and what a module for it is built with.

use super::super::apt::Root;
use super::Fetch;
use crate::failure::Failure;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const SET: &str = "linux";

/// The series that the guest's module is written for.
const SERIES: &str = "6.12";

/// A kernel and its headers.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) image: PathBuf,
    pub(crate) headers: PathBuf,
    /// What `uname -r` says in the guest.
    pub(crate) release: String,
}

impl Kernel {
    /// The user's own.
    pub(crate) fn own(image: &Path, headers: Option<&Path>) -> Result<Self, Failure> {
        let bytes = fs::read(image).map_err(Failure::file(image))?;
        let release = release(&bytes).ok_or_else(|| Failure::Form {
            what: image.display().to_string(),
            why: "is not a bzImage; --kernel takes what is installed as vmlinuz".to_owned(),
        })?;
        let headers = headers.map_or_else(
            || Path::new("/lib/modules").join(&release).join("build"),
            Path::to_owned,
        );
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
            release,
        })
    }

    /// From the cache or the machine's own suites.
    pub(crate) fn fetched(fetch: &Fetch<'_>) -> Result<Self, Failure> {
        let tree = fetch.set(SET, |machine, place| {
            let root = Root::new(place.clone(), machine, &machine.own(), fetch.progress)?;
            let release =
                newest(&root.names(&format!("linux-image-{SERIES}"))?).ok_or_else(|| {
                    Failure::Missing {
                        what: format!("the Debian mirror has no kernel {SERIES}"),
                        advice: "name your own with --kernel and --headers".to_owned(),
                    }
                })?;
            let packages = packages(&release);
            let [image, ..] = &packages;
            let version = format!("{release}-{}", root.version(image, None)?);
            if fetch.cache.version(SET, &version).is_some() {
                return Ok((version, None));
            }
            root.fetch(&packages, fetch.progress)?;
            let tree = place.join("tree");
            root.unpack(&tree, fetch.progress)?;
            Ok((version, Some(tree)))
        })?;
        Self::unpacked(&tree)
    }

    fn unpacked(tree: &Path) -> Result<Self, Failure> {
        let boot = tree.join("boot");
        let names = fs::read_dir(&boot).map_err(Failure::file(&boot))?;
        let release = names
            .flatten()
            .find_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some(name.strip_prefix("vmlinuz-")?.to_owned())
            })
            .ok_or_else(|| Failure::Missing {
                what: format!("{} holds no kernel", boot.display()),
                advice: format!("remove {} and run this again", tree.display()),
            })?;
        let source = tree.join("usr/src");
        let headers = source.join(format!("linux-headers-{release}"));
        point_to_common(&headers, &source.join(common(&release)))?;
        Ok(Self {
            image: boot.join(format!("vmlinuz-{release}")),
            headers,
            release,
        })
    }
}

/// The headers' Makefile includes that of the headers all flavours share, by a
/// name in the root of the machine it was made for.
fn point_to_common(headers: &Path, common: &Path) -> Result<(), Failure> {
    let makefile = headers.join("Makefile");
    let wanted = format!("include {}/Makefile\n", common.display());
    if crate::tree::read(&makefile)? == wanted {
        return Ok(());
    }
    let new = headers.join(format!(".Makefile-{}", std::process::id()));
    crate::tree::write(&new, &wanted)?;
    fs::rename(&new, &makefile).map_err(Failure::file(&makefile))
}

/// The flavour that is made for any machine.
const FLAVOUR: &str = "-amd64";

fn base(release: &str) -> &str {
    release.strip_suffix(FLAVOUR).unwrap_or(release)
}

fn common(release: &str) -> String {
    format!("linux-headers-{}-common", base(release))
}

fn packages(release: &str) -> [String; 4] {
    [
        format!("linux-image-{release}"),
        format!("linux-headers-{release}"),
        common(release),
        format!("linux-kbuild-{}", base(release)),
    ]
}

/// The newest release among names of packages, `linux-image-6.12.117+deb12-amd64`.
fn newest(names: &[String]) -> Option<String> {
    let releases = names.iter().filter_map(|name| {
        let release = name.strip_prefix("linux-image-")?;
        let base = release.strip_suffix(FLAVOUR)?;
        Some((numbers(base)?, release))
    });
    releases.max().map(|(_, release)| release.to_owned())
}

/// The numbers of `6.12.117+deb12`. None for what is no release of one kernel:
/// another flavour, or a package that stands for the newest.
fn numbers(base: &str) -> Option<Vec<u64>> {
    let (version, revision) = base.split_once(['+', '-']).unwrap_or((base, "0"));
    let numbers: Vec<u64> = version
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let revision = revision.strip_prefix("deb").unwrap_or(revision);
    let revision = revision
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<Vec<u64>>>()?;
    (numbers.len() > 2).then(|| [numbers, revision].concat())
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
    fn the_newest_release_of_the_plain_flavour_is_chosen() {
        let names = [
            "linux-image-6.12-amd64",
            "linux-image-6.12.9+deb12-amd64",
            "linux-image-6.12.117+deb12-amd64",
            "linux-image-6.12.117+deb12-cloud-amd64",
            "linux-image-6.12.117+deb12-rt-amd64",
            "linux-image-6.12.118+deb12-amd64-unsigned",
            "linux-image-6.12.118+deb12-amd64-dbg",
            "linux-image-6.12.30+bpo-amd64",
        ]
        .map(str::to_owned);
        let newest = newest(&names).unwrap();
        assert_eq!(newest, "6.12.117+deb12-amd64");
        assert_eq!(
            packages(&newest),
            [
                "linux-image-6.12.117+deb12-amd64",
                "linux-headers-6.12.117+deb12-amd64",
                "linux-headers-6.12.117+deb12-common",
                "linux-kbuild-6.12.117+deb12",
            ]
        );
        assert_eq!(super::newest(&[]), None);
    }

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
    fn an_own_kernel_without_headers_says_how_to_name_them() {
        let image = std::env::temp_dir().join(format!("ims-bzimage-{}", std::process::id()));
        let mut bytes = vec![0; 0x400];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        bytes[0x300..0x306].copy_from_slice(b"0.0.1-");
        fs::write(&image, bytes).unwrap();
        let failure = Kernel::own(&image, None).unwrap_err().to_string();
        assert!(failure.contains("--headers"), "{failure}");
        fs::remove_file(image).unwrap();
    }
}
