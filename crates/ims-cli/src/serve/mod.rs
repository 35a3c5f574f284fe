// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims serve`: virtual DSAs and physical functions for the machines of other
//! processes, each on a socket.
//!
//! ```text
//!   flags, file ─▶ plan ─▶ devices ──▶ vfio-user server: NAME.sock each
//!     field: ranges          ▲
//!   ims adi, ims stat ─▶ requests        signal ─▶ stop: sockets go, work ends
//!     (control socket)
//! ```

mod announce;
mod counted;
mod devices;
mod error;
mod field;
mod fields;
mod file;
mod flags;
mod open_files;
mod plan;
mod progress;
mod qemu;
mod requests;
mod served;
mod signals;
#[cfg(test)]
mod tests;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) use announce::attach;
pub(crate) use flags::{ControlFlag, ServeArgs};

use announce::Announcement;
use devices::Devices;
use error::ServeError;
use open_files::OpenFiles;
use plan::Plan;
use progress::Progress;
use signals::Signals;

use crate::control::{Listener, Place};

/// Carries out `ims serve`. Exit code 0: it was told to stop; 1: it could not serve;
/// 2: what it was told is wrong.
pub(crate) fn run(args: &ServeArgs) -> ExitCode {
    let plan = match args.plan() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("ims serve: {error}");
            return ExitCode::from(2);
        }
    };
    tell_what_goes_wrong();
    match carry_out(&plan, args.json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ims serve: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Warnings and errors of devices and clients go to standard error.
fn tell_what_goes_wrong() {
    let told = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .try_init();
    if let Err(error) = told {
        eprintln!("ims serve: warnings cannot be shown: {error}");
    }
}

fn carry_out(plan: &Plan, json: bool) -> Result<(), ServeError> {
    let files = OpenFiles::raise()?;
    files.check(plan.devices.len())?;
    // Before there are threads and sockets: a signal from now on ends in order.
    let signals = Signals::new().map_err(ServeError::Signals)?;
    make_directories(plan)?;
    let serving = Serving::start(plan)?;
    let devices = serving.devices.list();
    let notes = notes(plan, files);
    let said = Announcement::new(&plan.control, devices, notes).write(&mut io::stdout(), json);
    if let Err(error) = said
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(ServeError::Output(error));
    }
    signals.wait();
    if !serving.stop() {
        eprintln!("ims serve: some work did not end in time and was left");
    }
    Ok(())
}

/// Devices, and the socket that controls them.
struct Serving {
    devices: Arc<Devices>,
    control: Listener,
}

impl Serving {
    fn start(plan: &Plan) -> Result<Self, ServeError> {
        let composing = Progress::new("composing", plan.devices.len());
        let devices = Arc::new(Devices::start(plan, |done| composing.at(done))?);
        drop(composing);
        let control = Listener::start(&plan.control, {
            let devices = Arc::clone(&devices);
            move |request| requests::carry_out(&devices, request)
        })?;
        Ok(Self { devices, control })
    }

    /// Ends in order: no more requests, no more clients, no more work. `false`: some
    /// work did not end in time.
    fn stop(self) -> bool {
        drop(self.control);
        // Its thread has ended, and its share with it.
        Arc::into_inner(self.devices).is_none_or(Devices::stop)
    }
}

/// Makes the directories that are not there: the user's place, if it is used, and
/// the one that was asked for.
fn make_directories(plan: &Plan) -> Result<(), ServeError> {
    let place = Place::of_user();
    if plan.directory == place.directory() || plan.control == place.control() {
        place.make()?;
    }
    if plan.directory != place.directory() {
        let directory = plan.directory.clone();
        let made = DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&directory);
        made.map_err(|source| ServeError::Directory { directory, source })?;
    }
    Ok(())
}

/// What the user should know of what was planned.
fn notes(plan: &Plan, files: OpenFiles) -> Vec<String> {
    let mut notes = Vec::new();
    let vectors = plan.devices.iter().map(|planned| planned.shape.vectors());
    notes.extend(files.shortage(plan.devices.len(), vectors.sum()));
    let (wanted, entries) = (plan.entries_wanted(), plan.parent.config.ims_entries);
    if wanted > u64::from(entries) {
        notes.push(format!(
            "all virtual devices together want {wanted} IMS entries, and there are {entries}: \
             clients that come when none is left get no interrupts (ENOSPC); use more \
             ims-entries or fewer vectors"
        ));
    }
    notes
}
