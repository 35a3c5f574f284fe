// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where what was fetched is kept: one directory for each version of each set.
//!
//! A set is unpacked beside its place and moved there when it is complete, so an
//! interrupted download leaves nothing that looks finished. A file
//! `<set>.current` names the directory in use.

use crate::failure::Failure;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What directories under way are called, before the set's name.
const UNFINISHED: &str = ".new-";

/// The cache's directory.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    root: PathBuf,
}

/// A set of packages being put together. What is not kept is removed.
#[derive(Debug)]
pub(crate) struct Unfinished {
    place: PathBuf,
}

impl Cache {
    /// The cache of this user: `$IMS_CACHE`, `$XDG_CACHE_HOME/ims`, `~/.cache/ims`.
    ///
    /// # Errors
    /// [`Failure::Missing`] if none of the variables is set, or the directory's
    /// name cannot be passed to the programs that must find it.
    pub(crate) fn here() -> Result<Self, Failure> {
        let root = place(|name| std::env::var_os(name)).ok_or_else(|| Failure::Missing {
            what: "no place for what is fetched: neither IMS_CACHE nor HOME is set".to_owned(),
            advice: "set IMS_CACHE to a directory with 1.5 GB of space".to_owned(),
        })?;
        Self::at(root)
    }

    /// The cache in `root`, which need not exist yet.
    ///
    /// # Errors
    /// As [`Self::here`].
    pub(crate) fn at(root: PathBuf) -> Result<Self, Failure> {
        // A loader splits its library path at colons, make splits at spaces.
        let text = root.to_string_lossy().into_owned();
        if !root.is_absolute() || text.contains([':', ' ', '\t', '\n', '"', '$', '#', '%']) {
            return Err(Failure::Missing {
                what: format!("{text:?} cannot hold what is fetched"),
                advice: "set IMS_CACHE to an absolute path without spaces, colons, quotes, `$`, \
                         `#` and `%`"
                    .to_owned(),
            });
        }
        Ok(Self { root })
    }

    /// The directory of `set` that is in use, if it was ever completed.
    pub(crate) fn current(&self, set: &str) -> Option<PathBuf> {
        let name = fs::read_to_string(self.pointer(set)).ok()?;
        let name = name.trim();
        // Never a way out of the cache.
        if !name.starts_with(set) || name.contains('/') {
            return None;
        }
        let place = self.root.join(name);
        place.is_dir().then_some(place)
    }

    /// The directory of this version of `set`, if it is complete.
    pub(crate) fn version(&self, set: &str, version: &str) -> Option<PathBuf> {
        let place = self.root.join(directory(set, version));
        place.is_dir().then_some(place)
    }

    /// An empty directory in which to put `set` together.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn unfinished(&self, set: &str) -> Result<Unfinished, Failure> {
        fs::create_dir_all(&self.root).map_err(Failure::file(&self.root))?;
        self.sweep();
        let name = format!("{UNFINISHED}{set}-{}", std::process::id());
        let place = self.root.join(name);
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file(&place)(error));
            }
            _ => {}
        }
        fs::create_dir(&place).map_err(Failure::file(&place))?;
        Ok(Unfinished { place })
    }

    /// Keeps the directory `tree` of what was put together as this version of
    /// `set`. If somebody else was faster, theirs is kept.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn keep(&self, set: &str, version: &str, tree: &Path) -> Result<PathBuf, Failure> {
        let place = self.root.join(directory(set, version));
        if let Err(error) = fs::rename(tree, &place)
            && !place.is_dir()
        {
            return Err(Failure::file(&place)(error));
        }
        self.select(set, version)?;
        Ok(place)
    }

    /// Uses this version of `set` from now on.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn select(&self, set: &str, version: &str) -> Result<(), Failure> {
        let new = self
            .root
            .join(format!("{UNFINISHED}{set}.current-{}", std::process::id()));
        fs::write(&new, directory(set, version) + "\n").map_err(Failure::file(&new))?;
        let pointer = self.pointer(set);
        fs::rename(&new, &pointer).map_err(Failure::file(&pointer))
    }

    fn pointer(&self, set: &str) -> PathBuf {
        self.root.join(format!("{set}.current"))
    }

    /// Removes what runs that are over left unfinished. That it cannot be done
    /// costs space and nothing else.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.root) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let owner = name
                .strip_prefix(UNFINISHED)
                .and_then(|rest| rest.rsplit_once('-'))
                .and_then(|(_, owner)| owner.parse::<u32>().ok());
            if let Some(owner) = owner
                && !Path::new("/proc").join(owner.to_string()).exists()
            {
                let path = entry.path();
                let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
            }
        }
    }
}

impl Unfinished {
    /// The directory.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // The next run sweeps what stays.
        let _ = fs::remove_dir_all(&self.place);
    }
}

fn place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(own) = set("IMS_CACHE") {
        return Some(own.into());
    }
    if let Some(caches) = set("XDG_CACHE_HOME") {
        return Some(PathBuf::from(caches).join("ims"));
    }
    set("HOME").map(|home| PathBuf::from(home).join(".cache/ims"))
}

/// `<set>-<version>`, of characters that are safe everywhere.
fn directory(set: &str, version: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || ".+~-".contains(c) {
            c
        } else {
            '_'
        }
    };
    format!("{set}-{}", version.chars().map(safe).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(name: &str) -> Cache {
        let root = std::env::temp_dir().join(format!("ims-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        Cache::at(root).unwrap()
    }

    #[test]
    fn the_cache_is_where_the_nearest_variable_says() {
        let with = |names: &'static [&'static str]| {
            place(move |name| {
                names
                    .contains(&name)
                    .then(|| OsString::from(format!("/{name}")))
            })
        };
        assert_eq!(with(&["HOME"]), Some("/HOME/.cache/ims".into()));
        assert_eq!(
            with(&["HOME", "XDG_CACHE_HOME"]),
            Some("/XDG_CACHE_HOME/ims".into())
        );
        assert_eq!(
            with(&["HOME", "XDG_CACHE_HOME", "IMS_CACHE"]),
            Some("/IMS_CACHE".into())
        );
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn a_place_that_a_loader_would_split_is_refused() {
        assert!(Cache::at("/a:b".into()).is_err());
        assert!(Cache::at("/a b".into()).is_err());
        assert!(Cache::at("relative".into()).is_err());
    }

    #[test]
    fn a_set_is_there_when_it_is_kept_and_not_before() {
        let cache = temporary("keep");
        assert_eq!(cache.current("set"), None);
        let unfinished = cache.unfinished("set").unwrap();
        let tree = unfinished.place().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("file"), "x").unwrap();
        assert_eq!(cache.current("set"), None);
        let kept = cache.keep("set", "1:2.3", &tree).unwrap();
        assert!(kept.ends_with("set-1_2.3"));
        assert_eq!(cache.current("set"), Some(kept.clone()));
        assert_eq!(cache.version("set", "1:2.3"), Some(kept.clone()));

        // Who comes second gets the first one's.
        let second = unfinished.place().join("second");
        fs::create_dir(&second).unwrap();
        assert_eq!(cache.keep("set", "1:2.3", &second).unwrap(), kept);
        assert!(kept.join("file").is_file());

        let left = unfinished.place().to_owned();
        drop(unfinished);
        assert!(!left.exists());
        fs::remove_dir_all(&cache.root).unwrap();
    }

    #[test]
    fn what_an_interrupted_run_left_is_swept_and_what_runs_is_not() {
        let cache = temporary("sweep");
        let running = cache.unfinished("set").unwrap();
        let dead = cache.root.join(".new-set-4294967295");
        fs::create_dir(&dead).unwrap();
        let other = cache.unfinished("other").unwrap();
        assert!(!dead.exists() && running.place().is_dir() && other.place().is_dir());
        drop((running, other));
        fs::remove_dir_all(&cache.root).unwrap();
    }

    #[test]
    fn a_pointer_never_leads_out_of_the_cache() {
        let cache = temporary("pointer");
        fs::create_dir_all(cache.root.join("else")).unwrap();
        for name in ["set/../..", "/etc", "else", ""] {
            fs::write(cache.root.join("set.current"), name).unwrap();
            assert_eq!(cache.current("set"), None, "{name}");
        }
        fs::remove_dir_all(&cache.root).unwrap();
    }
}
