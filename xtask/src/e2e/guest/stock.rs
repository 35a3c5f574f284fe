// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel's own modules: found, unpacked, and put in the order they load in.

use super::super::parts::{Busybox, Kernel};
use crate::failure::Failure;
use crate::tree;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules to load, first to last, each as a plain file.
pub(crate) type Order = Vec<(String, PathBuf)>;

/// `name` and all it depends on, which come before it.
///
/// # Errors
/// [`Failure::Missing`] if the kernel has no such module.
pub(crate) fn with_dependencies(
    kernel: &Kernel,
    busybox: &Busybox,
    name: &str,
) -> Result<Order, Failure> {
    let mut stock = Stock {
        files: files(&kernel.modules)?,
        built_in: built_in(&kernel.modules),
        place: tree::root().join("target/e2e/stock").join(&kernel.release),
        busybox,
        order: Order::new(),
    };
    stock.load(name).map_err(|failure| match failure {
        Failure::Nothing(absent) => Failure::Missing {
            what: format!("{} holds no module {absent}", kernel.modules.display()),
            advice: "take a kernel of a flavour that has it, or name the directory \
                     with --modules"
                .to_owned(),
        },
        other => other,
    })?;
    Ok(stock.order)
}

struct Stock<'a> {
    /// By the name the kernel knows them by.
    files: BTreeMap<String, PathBuf>,
    built_in: Vec<String>,
    place: PathBuf,
    busybox: &'a Busybox,
    order: Order,
}

impl Stock<'_> {
    fn load(&mut self, name: &str) -> Result<(), Failure> {
        let known = |(there, _): &(String, PathBuf)| there == name;
        if self.order.iter().any(known) || self.built_in.iter().any(|there| there == name) {
            return Ok(());
        }
        // Taken out: what depends on itself is not gone through twice.
        let file = self.files.remove(name);
        let file = file.ok_or_else(|| Failure::Nothing(name.to_owned()))?;
        let module = self.place.join(format!("{name}.ko"));
        fs::create_dir_all(&self.place).map_err(Failure::file(&self.place))?;
        if is_packed(&file) {
            self.busybox.unpack_xz(&file, &module)?;
        } else {
            fs::copy(&file, &module).map_err(Failure::file(&module))?;
        }
        let bytes = fs::read(&module).map_err(Failure::file(&module))?;
        for dependency in depends(&bytes) {
            self.load(&dependency)?;
        }
        self.order.push((name.to_owned(), module));
        Ok(())
    }
}

fn is_packed(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "xz")
}

fn files(modules: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let place = modules.join("kernel");
    if !place.is_dir() {
        return Ok(BTreeMap::new());
    }
    let files = tree::files(&place)?.into_iter();
    Ok(files
        .filter_map(|file| Some((module_name(&file)?, file)))
        .collect())
}

/// What `modules.builtin` names. A kernel without that file has none.
fn built_in(modules: &Path) -> Vec<String> {
    let text = fs::read_to_string(modules.join("modules.builtin")).unwrap_or_default();
    let files = text.lines().map(Path::new);
    files.filter_map(module_name).collect()
}

/// `kernel/…/a-b.ko.xz` is the module `a_b`.
fn module_name(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let name = name.strip_suffix(".xz").unwrap_or(name);
    Some(name.strip_suffix(".ko")?.replace('-', "_"))
}

/// What the module itself says in its section `.modinfo`: `depends=a,b` and NUL.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|bytes| bytes == KEY) else {
        return Vec::new();
    };
    let value = module.get(at + KEY.len()..).unwrap_or_default();
    let value = value.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_names_what_it_depends_on() {
        let module = b"ELF\0license=GPL\0depends=idxd_bus,snd-pcm\0name=idxd\0";
        assert_eq!(depends(module), ["idxd_bus", "snd_pcm"]);
        assert!(depends(b"ELF\0depends=\0name=x\0").is_empty());
        assert!(depends(b"ELF").is_empty());
        assert_eq!(depends(b"\0depends=x"), ["x"]);
    }

    #[test]
    fn a_module_is_known_by_another_name_than_its_file() {
        let name = |file: &str| module_name(Path::new(file));
        assert_eq!(name("kernel/a/snd-pcm.ko.xz").as_deref(), Some("snd_pcm"));
        assert_eq!(name("idxd.ko").as_deref(), Some("idxd"));
        assert_eq!(name("modules.order"), None);
    }

    #[test]
    fn dependencies_come_first_once_and_not_if_they_are_built_in() {
        let base = std::env::temp_dir().join(format!("ims-stock-{}", std::process::id()));
        let modules = base.join("modules");
        for (name, depends) in [
            ("top", "left,right"),
            ("left", "low"),
            ("right", "low,core"),
        ] {
            let file = modules.join(format!("kernel/{name}.ko"));
            tree::write(&file, &format!("\0depends={depends}\0")).unwrap();
        }
        tree::write(&modules.join("kernel/low.ko"), "\0depends=\0").unwrap();
        tree::write(&modules.join("modules.builtin"), "kernel/core.ko\n").unwrap();
        let busybox = Busybox::own(Path::new("/none"));
        let mut stock = Stock {
            files: files(&modules).unwrap(),
            built_in: built_in(&modules),
            place: base.join("place"),
            busybox: &busybox,
            order: Order::new(),
        };
        stock.load("top").unwrap();
        let names: Vec<_> = stock.order.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, ["low", "left", "right", "top"]);
        assert!(matches!(stock.load("absent"), Err(Failure::Nothing(_))));
        fs::remove_dir_all(base).unwrap();
    }
}
