// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims run`: composes interfaces of a device for virtual machines, has them
//! work, disturbs them, and proves that every completion interrupted the right
//! CPU.
//!
//! ```text
//!   scenario ─▶ world ─────────▶ work ─────────────▶ verdict ─▶ report
//!               functions, VMs,   lanes: submit,      every count against
//!               interfaces        take, check         every other
//!                                 disturb · hostile
//! ```

mod disturb;
mod error;
mod function;
mod hostile;
mod kvm;
mod lane;
mod operation;
mod owner;
mod plan;
mod progress;
mod pump;
mod report;
mod scenario;
mod stamp;
mod turns;
mod verdict;
mod vm;
mod work;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ims::store::context::ContextMemory;
use ims::store::engines::{Engines, Spread};
use ims::store::table::Table;
use ims::store::{CookieUse, Store};

use error::RunError;
use kvm::{Ground, KVM, ground};
use progress::Progress;
use report::{Report, write_interrupts};
pub(crate) use scenario::RunArgs;
use scenario::{Scenario, StoreKind};
use world::World;

/// Contexts that a device caches, with a store in context memory.
const CACHED_CONTEXTS: u32 = 1024;

/// Carries out `ims run`. Exit code 0: all is proven; 1: something failed; 2: the
/// scenario is not one.
pub(crate) fn run(args: &RunArgs) -> ExitCode {
    let scenario = match args.scenario() {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("ims run: {error}");
            return ExitCode::from(2);
        }
    };
    let ground = ground(scenario.on, Path::new(KVM));
    if let Some(note) = &ground.note {
        eprintln!("ims run: {note}");
    }
    let report = match carry_out(scenario, ground, args.interrupts.as_deref()) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("ims run: {error}");
            return ExitCode::FAILURE;
        }
    };
    if args.json {
        match serde_json::to_string_pretty(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("ims run: {error}"),
        }
    } else {
        println!("{report}");
    }
    if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn carry_out(
    scenario: Scenario,
    ground: Ground,
    interrupts: Option<&Path>,
) -> Result<Report, RunError> {
    let cookies = CookieUse::Pasid;
    let engines = scenario.engines;
    match scenario.store {
        StoreKind::Table => with(scenario, ground, interrupts, |slots| {
            Table::new(slots, cookies)
        }),
        StoreKind::Engine => with(scenario, ground, interrupts, |slots| {
            Engines::new(engines, slots, Spread::Distributed, cookies)
        }),
        StoreKind::Replicated => with(scenario, ground, interrupts, |slots| {
            Engines::new(engines, slots, Spread::Replicated, cookies)
        }),
        StoreKind::Context => with(scenario, ground, interrupts, |slots| {
            ContextMemory::new(CACHED_CONTEXTS, slots, cookies)
        }),
    }
}

/// What a progress bar counts in.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Says which vCPUs run no more: the cause of whatever ended the run.
fn tell_of_stopped<S: Store>(world: &World<S>) {
    for (vm, guest) in world.vms.iter().zip(&world.guests) {
        for stopped in guest.stopped() {
            eprintln!("ims run: VM {}: {stopped}", vm.number);
        }
    }
}

fn with<S: Store>(
    scenario: Scenario,
    ground: Ground,
    interrupts: Option<&Path>,
    store: impl Fn(u32) -> S,
) -> Result<Report, RunError> {
    let composing = Progress::new("composing interfaces", u64::from(scenario.adis));
    let mut world = World::compose(scenario, ground, store, |adis| composing.at(adis.into()))?;
    drop(composing);
    let length = Duration::from_secs_f64(world.scenario.seconds);
    let working = Progress::new("working", milliseconds(length));
    let worked = work::work(&mut world, |worked| working.at(milliseconds(worked)));
    drop(working);
    let worked = worked.inspect_err(|_| tell_of_stopped(&world))?;
    let report = verdict::verdict(&world, &worked)?;
    if let Some(path) = interrupts {
        write_interrupts(path, &verdict::rows(&world)).map_err(|error| RunError::File {
            path: path.display().to_string(),
            error,
        })?;
    }
    Ok(report)
}
