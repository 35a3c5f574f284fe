// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How Debian names the packages of a kernel.

/// The flavour that is made for any machine.
const FLAVOUR: &str = "-amd64";

/// The release without its flavour.
pub(super) fn base(release: &str) -> &str {
    release.strip_suffix(FLAVOUR).unwrap_or(release)
}

/// The image of a release.
pub(super) fn image(release: &str) -> String {
    format!("linux-image-{release}")
}

/// The headers of a release.
pub(super) fn headers(release: &str) -> String {
    format!("linux-headers-{release}")
}

/// The headers all flavours share.
pub(super) fn common(release: &str) -> String {
    format!("linux-headers-{}-common", base(release))
}

/// The programs that modules are built with.
pub(super) fn kbuild(release: &str) -> String {
    format!("linux-kbuild-{}", base(release))
}

/// The source of a series.
pub(super) fn source(series: &str) -> String {
    format!("linux-source-{series}")
}

/// The newest release among names of packages, `linux-image-6.12.117+deb12-amd64`.
pub(super) fn newest(names: &[String]) -> Option<String> {
    let releases = names.iter().filter_map(|name| {
        let release = name.strip_prefix("linux-image-")?;
        let base = release.strip_suffix(FLAVOUR)?;
        Some((numbers(base)?, release))
    });
    releases.max().map(|(_, release)| release.to_owned())
}

/// The series a release belongs to: `7.2` of `7.2.12+deb13-amd64`.
pub(super) fn series(release: &str) -> Option<String> {
    let mut numbers = release.split('.');
    let (major, minor) = (numbers.next()?, numbers.next()?);
    numbers.next()?;
    Some(format!("{major}.{minor}"))
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
        assert_eq!(newest(&names).unwrap(), "6.12.117+deb12-amd64");
        assert_eq!(newest(&[]), None);
    }

    #[test]
    fn all_names_follow_from_the_release() {
        let release = "7.2.12+deb13-amd64";
        assert_eq!(image(release), "linux-image-7.2.12+deb13-amd64");
        assert_eq!(headers(release), "linux-headers-7.2.12+deb13-amd64");
        assert_eq!(common(release), "linux-headers-7.2.12+deb13-common");
        assert_eq!(kbuild(release), "linux-kbuild-7.2.12+deb13");
        assert_eq!(source(&series(release).unwrap()), "linux-source-7.2");
        assert_eq!(series("7.2"), None);
    }
}
