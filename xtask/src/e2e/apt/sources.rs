// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where packages come from: what `sources.list` and `*.sources` files say
//! (sources.list(5), both forms).

use std::collections::BTreeMap;
use std::fmt;

/// Repositories of binary packages that share their settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Source {
    pub(crate) uris: Vec<String>,
    pub(crate) suites: Vec<String>,
    pub(crate) components: Vec<String>,
    /// A keyring's path, fingerprints, or a whole key, as it stands there.
    pub(crate) signed_by: Option<String>,
}

/// The form that [`deb822`] reads and apt takes.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Types: deb")?;
        writeln!(f, "URIs: {}", self.uris.join(" "))?;
        writeln!(f, "Suites: {}", self.suites.join(" "))?;
        writeln!(f, "Components: {}", self.components.join(" "))?;
        if let Some(signed_by) = &self.signed_by {
            // A whole key stands on lines of its own, each indented.
            writeln!(f, "Signed-By: {}", signed_by.replace('\n', "\n "))?;
        }
        Ok(())
    }
}

/// Reads a file of stanzas, `*.sources`. Leaves out what is disabled, source
/// packages, and stanzas that lack a field.
pub(crate) fn deb822(text: &str) -> Vec<Source> {
    stanzas(text).iter().filter_map(source).collect()
}

fn stanzas(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut stanzas = vec![BTreeMap::new()];
    let mut field = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            stanzas.push(BTreeMap::new());
            continue;
        }
        let Some(stanza) = stanzas.last_mut() else {
            continue;
        };
        if line.starts_with([' ', '\t']) {
            if let Some(value) = stanza.get_mut(&field) {
                *value = format!("{value}\n{}", line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            field = name.trim().to_ascii_lowercase();
            stanza.insert(field.clone(), value.trim().to_owned());
        }
    }
    stanzas
}

fn source(stanza: &BTreeMap<String, String>) -> Option<Source> {
    let words = |name: &str| -> Option<Vec<String>> {
        let value = stanza.get(name)?;
        Some(value.split_whitespace().map(str::to_owned).collect())
    };
    let off = ["no", "false", "without", "off", "disable", "0"];
    let enabled = stanza
        .get("enabled")
        .is_none_or(|value| !off.contains(&value.to_ascii_lowercase().as_str()));
    if !enabled || !words("types")?.iter().any(|kind| kind == "deb") {
        return None;
    }
    Some(Source {
        uris: words("uris")?,
        suites: words("suites")?,
        components: words("components").unwrap_or_default(),
        signed_by: stanza.get("signed-by").cloned(),
    })
}

/// Reads a file of lines, `sources.list` and `*.list`:
/// `deb [option=value …] uri suite component …`.
pub(crate) fn one_line(text: &str) -> Vec<Source> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Source> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        signed_by: options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .map(|value| value.replace(',', " ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn stanzas_are_read_with_comments_case_and_disabled_ones() {
        let text = "Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\n\
                    suites: bookworm bookworm-updates\nComponents: main\n\
                    Signed-By: /k.gpg\n\n\n\
                    Types: deb\nURIs: http://other.example\nSuites: x\nEnabled: no\n\n\
                    Types: deb-src\nURIs: http://other.example\nSuites: x\n\n\
                    Types: deb\nSuites: no uri\n";
        assert_eq!(
            deb822(text),
            [Source {
                uris: words("http://mirror.example/debian"),
                suites: words("bookworm bookworm-updates"),
                components: words("main"),
                signed_by: Some("/k.gpg".to_owned()),
            }]
        );
    }

    #[test]
    fn lines_are_read_with_and_without_options() {
        let text = "# deb http://off.example x main\n\
                    deb-src http://src.example x main\n\
                    deb http://mirror.example/debian bookworm main contrib # why\n\
                    deb [arch=amd64 signed-by=/a.gpg,/b.gpg]\thttp://m.example/ s/updates main\n\
                    debris\ndeb http://no.suite\n";
        let sources = one_line(text);
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].uris, ["http://mirror.example/debian"]);
        assert_eq!(sources[0].components, ["main", "contrib"]);
        assert_eq!(sources[0].signed_by, None);
        assert_eq!(sources[1].suites, ["s/updates"]);
        assert_eq!(sources[1].signed_by.as_deref(), Some("/a.gpg /b.gpg"));
    }

    #[test]
    fn what_is_written_is_read_back_a_whole_key_too() {
        let source = Source {
            uris: words("http://a http://b"),
            suites: words("s t"),
            components: words("main"),
            signed_by: Some("\n-----BEGIN\n.\nabc\n-----END".to_owned()),
        };
        assert_eq!(deb822(&source.to_string()), [source]);
    }
}
