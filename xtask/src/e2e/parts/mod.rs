// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest is made of: the emulator, a kernel, and one static program.
//! Each is the user's own, from the cache, or fetched into it.

mod busybox;
mod emulator;
mod kernel;

pub(crate) use emulator::Emulator;
pub(crate) use kernel::Kernel;

use super::apt::Machine;
use super::cache::Cache;
use crate::failure::Failure;
use crate::progress::Progress;
use std::path::PathBuf;

/// What the user has of their own.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct Own {
    /// Use this QEMU (10.1 or later, for x86-64) and fetch none.
    #[arg(long, value_name = "PROGRAM")]
    qemu: Option<PathBuf>,
    /// Boot this kernel (a bzImage; the guest's module is written for 6.12) and
    /// fetch none.
    #[arg(long, value_name = "BZIMAGE")]
    kernel: Option<PathBuf>,
    /// Build the guest's module with these headers of --kernel
    /// [default: /lib/modules/<its release>/build].
    #[arg(long, value_name = "DIRECTORY", requires = "kernel")]
    headers: Option<PathBuf>,
    /// Use this busybox (linked statically) in the guest and fetch none.
    #[arg(long, value_name = "PROGRAM")]
    busybox: Option<PathBuf>,
    /// Look for newer packages than those in the cache.
    #[arg(long)]
    refresh: bool,
}

/// All a guest is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) emulator: Emulator,
    pub(crate) kernel: Kernel,
    pub(crate) busybox: PathBuf,
}

impl Parts {
    /// Finds or fetches everything.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub(crate) fn get(own: &Own, progress: &Progress) -> Result<Self, Failure> {
        let fetch = Fetch {
            cache: Cache::here()?,
            refresh: own.refresh,
            progress,
        };
        progress.start("QEMU");
        let emulator = match &own.qemu {
            Some(program) => Emulator::own(program)?,
            None => Emulator::fetched(&fetch)?,
        };
        progress.advance();
        progress.start("kernel");
        let kernel = match &own.kernel {
            Some(image) => Kernel::own(image, own.headers.as_deref())?,
            None => Kernel::fetched(&fetch)?,
        };
        progress.advance();
        progress.start("busybox");
        let busybox = match &own.busybox {
            Some(program) => program.clone(),
            None => busybox::fetched(&fetch)?,
        };
        progress.advance();
        Ok(Self {
            emulator,
            kernel,
            busybox,
        })
    }
}

/// The sets that are not in the cache.
///
/// # Errors
/// If there is no place for a cache.
pub(crate) fn not_cached() -> Result<Vec<&'static str>, Failure> {
    let cache = Cache::here()?;
    let mut sets = vec![emulator::SET, kernel::SET, busybox::SET];
    sets.retain(|set| cache.current(set).is_none());
    Ok(sets)
}

/// How sets of packages are had.
#[derive(Debug)]
pub(crate) struct Fetch<'a> {
    cache: Cache,
    refresh: bool,
    progress: &'a Progress,
}

impl Fetch<'_> {
    /// The set's directory, from the cache, or fetched by `fetch`.
    ///
    /// `fetch` gets the machine and an empty directory. It answers a version and
    /// the directory of the tree it unpacked, or none if that version is cached.
    fn set(
        &self,
        set: &str,
        fetch: impl FnOnce(&Machine, PathBuf) -> Result<(String, Option<PathBuf>), Failure>,
    ) -> Result<PathBuf, Failure> {
        if !self.refresh
            && let Some(place) = self.cache.current(set)
        {
            return Ok(place);
        }
        let machine = Machine::here()?;
        let unfinished = self.cache.unfinished(set)?;
        let (version, tree) = fetch(&machine, unfinished.place().join("apt"))?;
        if let Some(tree) = tree {
            return self.cache.keep(set, &version, &tree);
        }
        self.cache.select(set, &version)?;
        self.cache
            .version(set, &version)
            .ok_or_else(|| Failure::Nothing(format!("{set} {version} left the cache meanwhile")))
    }
}
