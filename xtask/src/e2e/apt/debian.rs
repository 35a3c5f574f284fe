// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which of a machine's sources are Debian's own archive.

use super::sources::Source;

/// The component all that is fetched is in.
const COMPONENT: &str = "main";

/// What marks the keyring Debian's archive is signed with.
const KEYRING: &str = "debian-archive";

/// The sources of Debian's archive for the release `codename`, with the suites
/// that are of use here: the release, its updates, its security updates.
pub(crate) fn archive(sources: &[Source], codename: &str) -> Vec<Source> {
    let ours = |suite: &String| {
        suite.strip_prefix(codename).is_some_and(|rest| {
            ["", "-updates", "-security", "/updates"].contains(&rest.trim_end_matches('/'))
        })
    };
    let of_debian = sources.iter().filter(|source| is_debian(source));
    of_debian
        .filter_map(|source| {
            let mut source = source.clone();
            source.suites.retain(ours);
            source.components = vec![COMPONENT.to_owned()];
            (!source.suites.is_empty()).then_some(source)
        })
        .collect()
}

/// The same mirror with other suites: of the source that has the release itself.
pub(crate) fn mirror(sources: &[Source], codename: &str, suites: &[&str]) -> Option<Source> {
    let archive = archive(sources, codename);
    let main = archive
        .iter()
        .find(|source| source.suites.iter().any(|suite| suite == codename))?;
    Some(Source {
        suites: suites.iter().map(|&suite| suite.to_owned()).collect(),
        ..main.clone()
    })
}

/// Others publish under the name of Debian's release too. Debian's archive has
/// the component `main`, and either its keyring or a path that ends as its
/// mirrors' do; apt checks the signature in any case.
fn is_debian(source: &Source) -> bool {
    let keyring = source
        .signed_by
        .as_ref()
        .is_some_and(|keyring| keyring.contains(KEYRING));
    let path = source.uris.iter().all(|uri| {
        let name = uri.trim_end_matches('/').rsplit('/').next();
        // A list of mirrors is a file, `debian.list`.
        let name = name.unwrap_or_default().trim_end_matches(".list");
        name == "debian" || name == "debian-security"
    });
    let component = source
        .components
        .iter()
        .any(|component| component == COMPONENT);
    component && (keyring || path)
}

/// The release's code name, from the text of `os-release(5)`.
pub(crate) fn codename(os_release: &str) -> Option<&str> {
    let value = os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::sources::one_line;
    use super::*;

    const LIST: &str = "deb http://third.example bookworm main\n\
        deb [signed-by=/k/third.gpg] http://third.example/linux/debian bookworm stable\n\
        deb http://mirror.example/debian-security bookworm-security main\n\
        deb http://mirror.example/debian/ bookworm main non-free\n\
        deb http://mirror.example/debian bookworm-backports main\n\
        deb [signed-by=/k/debian-archive-keyring.gpg] http://proxy.example/x bookworm-updates main\n";

    #[test]
    fn the_archive_is_told_from_others_of_the_same_name() {
        let archive = archive(&one_line(LIST), "bookworm");
        let suites: Vec<_> = archive.iter().map(|source| &source.suites[0][..]).collect();
        assert_eq!(
            suites,
            ["bookworm-security", "bookworm", "bookworm-updates"]
        );
        assert!(archive.iter().all(|source| source.components == ["main"]));
    }

    #[test]
    fn the_mirror_is_the_one_that_has_the_release() {
        let mirror = mirror(&one_line(LIST), "bookworm", &["trixie", "x"]).unwrap();
        assert_eq!(mirror.uris, ["http://mirror.example/debian/"]);
        assert_eq!(mirror.suites, ["trixie", "x"]);
        assert!(super::mirror(&one_line(LIST), "sid", &["trixie"]).is_none());
        let others = one_line(LIST.lines().next().unwrap());
        assert!(super::mirror(&others, "bookworm", &["trixie"]).is_none());
    }

    #[test]
    fn a_list_of_mirrors_is_a_mirror() {
        let list = one_line("deb mirror+file:/etc/apt/mirrors/debian.list bookworm main");
        assert!(super::mirror(&list, "bookworm", &["trixie"]).is_some());
    }

    #[test]
    fn the_code_name_is_found_with_and_without_quotes() {
        assert_eq!(
            codename("ID=debian\nVERSION_CODENAME=bookworm\n"),
            Some("bookworm")
        );
        assert_eq!(codename("VERSION_CODENAME=\"trixie\"\n"), Some("trixie"));
        assert_eq!(codename("VERSION_CODENAME=\nID=x"), None);
        assert_eq!(codename(""), None);
    }
}
