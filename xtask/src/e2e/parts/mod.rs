// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest is made of: the emulator, a kernel, and programs for it.
//! Each is the user's own, from the cache, or fetched into it.

mod accel_config;
mod busybox;
mod dmatest;
mod emulator;
mod kernel;

pub(crate) use accel_config::AccelConfig;
pub(crate) use busybox::Busybox;
pub(crate) use emulator::Emulator;
pub(crate) use kernel::Kernel;

use super::apt::Machine;
use super::cache::Cache;
use crate::failure::Failure;
use crate::progress::Progress;
use kernel::{newer, stable};
use std::path::PathBuf;

/// What the user has of their own.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct Own {
    /// Use this QEMU (10.1 or later, for x86-64) and fetch none.
    #[arg(long, value_name = "PROGRAM")]
    qemu: Option<PathBuf>,
    /// Boot this kernel (a bzImage; the guest's module is written for 6.12) and no
    /// newer one beside it, and fetch none.
    #[arg(long, value_name = "BZIMAGE")]
    kernel: Option<PathBuf>,
    /// Build the guest's module with these headers of --kernel
    /// [default: /lib/modules/<its release>/build].
    #[arg(long, value_name = "DIRECTORY", requires = "kernel")]
    headers: Option<PathBuf>,
    /// Take the kernel's own modules from here
    /// [default: /lib/modules/<its release>].
    #[arg(long, value_name = "DIRECTORY", requires = "kernel")]
    modules: Option<PathBuf>,
    /// The file drivers/dma/dmatest.c of --kernel's source; without it what needs
    /// it is not run.
    #[arg(long, value_name = "FILE", requires = "kernel")]
    dmatest: Option<PathBuf>,
    /// Use this busybox (linked statically) in the guest and fetch none.
    #[arg(long, value_name = "PROGRAM")]
    busybox: Option<PathBuf>,
    /// Use this accel-config, with this machine's libraries, in the guest and
    /// fetch none.
    #[arg(long, value_name = "PROGRAM")]
    accel_config: Option<PathBuf>,
    /// Look for newer packages than those in the cache.
    #[arg(long)]
    refresh: bool,
}

/// All a guest is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) emulator: Emulator,
    pub(crate) kernel: Kernel,
    pub(crate) busybox: Busybox,
    pub(crate) accel_config: AccelConfig,
    /// The source of the kernel's test of DMA engines, if it is to be had.
    pub(crate) dmatest: Option<PathBuf>,
    /// A newer kernel; none if the user has their own.
    pub(crate) newer: Option<Newer>,
}

/// A newer kernel.
#[derive(Debug)]
pub(crate) struct Newer {
    pub(crate) kernel: Kernel,
    /// The source of its test of DMA engines.
    pub(crate) dmatest: Option<PathBuf>,
}

/// How many steps [`Parts::get`] shows.
pub(crate) const STEPS: usize = 6;

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
            Some(image) => Kernel::own(image, own.headers.as_deref(), own.modules.as_deref())?,
            None => Kernel::stable(&fetch)?,
        };
        progress.advance();
        progress.start("busybox");
        let busybox = match &own.busybox {
            Some(program) => Busybox::own(program),
            None => Busybox::fetched(&fetch)?,
        };
        progress.advance();
        progress.start("accel-config");
        let accel_config = match &own.accel_config {
            Some(program) => AccelConfig::own(program),
            None => AccelConfig::fetched(&fetch)?,
        };
        progress.advance();
        progress.start("dmatest");
        let dmatest = match &own.dmatest {
            Some(source) => Some(source.clone()),
            None => dmatest::fetched(&fetch, &kernel, &busybox)?,
        };
        progress.advance();
        progress.start("newer kernel");
        let newer = match &own.kernel {
            Some(_) => None,
            None => Some(Newer::get(&fetch, &busybox)?),
        };
        progress.advance();
        Ok(Self {
            emulator,
            kernel,
            busybox,
            accel_config,
            dmatest,
            newer,
        })
    }
}

impl Newer {
    fn get(fetch: &Fetch<'_>, busybox: &Busybox) -> Result<Self, Failure> {
        let kernel = Kernel::newer(fetch)?;
        let dmatest = dmatest::fetched(fetch, &kernel, busybox)?;
        Ok(Self { kernel, dmatest })
    }
}

/// The sets that are not in the cache.
///
/// # Errors
/// If there is no place for a cache.
pub(crate) fn not_cached() -> Result<Vec<&'static str>, Failure> {
    let cache = Cache::here()?;
    let mut sets = vec![
        emulator::SET,
        stable::SET,
        newer::SET,
        busybox::SET,
        accel_config::SET,
    ];
    sets.retain(|set| cache.current(set).is_none());
    let packages = [
        cache
            .current(stable::SET)
            .and_then(|tree| stable::packages_in(&tree)),
        cache
            .current(newer::SET)
            .and_then(|tree| newer::packages_in(&tree)),
    ];
    let has_test = |packages: &Option<_>| {
        let packages = packages.as_ref();
        packages.is_some_and(|packages| dmatest::is_cached(&cache, packages))
    };
    if !packages.iter().all(has_test) {
        sets.push(dmatest::SET);
    }
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
