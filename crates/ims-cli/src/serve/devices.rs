// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The devices of a running server: composed, served, listed, destroyed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use ims_dsa::adi::{AdiConfig, Parent};
use ims_vfio::Hold;
use ims_vfio_user::{Limits, Server};

use super::error::ServeError;
use super::fields::ParentPlan;
use super::plan::{Plan, Planned, Shape, check_socket, socket_in};
use super::served::{Function, Served};
use crate::control::Name;
use crate::control::message::{ParentStatistics, Statistics, Summary};

/// How long whoever destroys waits for engines to let go.
const QUIET: Duration = Duration::from_secs(5);

/// The devices of a running server.
///
/// # Concurrency
/// One request at a time; each is short, but for [`Devices::destroy`], which waits
/// for engines.
pub(crate) struct Devices {
    server: Server,
    directory: PathBuf,
    parent: ParentPlan,
    /// What a virtual device is, where nothing else is asked for.
    interface: AdiConfig,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Made with the first virtual device: it has threads.
    parent: Option<Parent>,
    served: BTreeMap<Name, Served>,
}

/// No device of that name.
#[derive(Debug, thiserror::Error)]
#[error("no device is called \"{0}\"; `ims adi list` names them")]
pub(crate) struct NoDevice(pub(crate) Name);

/// Why a device was not destroyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DestroyError {
    /// No such device.
    #[error(transparent)]
    NoDevice(#[from] NoDevice),
    /// A physical function lives as long as its server.
    #[error("{0} is a physical function, which is not composed; stop its server instead")]
    Physical(Name),
}

impl Devices {
    /// Starts a server that serves what is planned; `at` is told how many devices are.
    ///
    /// # Errors
    /// [`ServeError`]; no socket is left then.
    pub(crate) fn start(plan: &Plan, at: impl Fn(usize)) -> Result<Self, ServeError> {
        let devices = Self {
            server: Server::start(Limits::default())?,
            directory: plan.directory.clone(),
            parent: plan.parent.clone(),
            interface: plan.interface.clone(),
            inner: Mutex::new(Inner {
                parent: None,
                served: BTreeMap::new(),
            }),
        };
        for (done, planned) in plan.devices.iter().enumerate() {
            at(done);
            let socket = plan.socket(planned)?;
            devices.serve(planned, socket)?;
        }
        at(plan.devices.len());
        Ok(devices)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a virtual device is, where nothing else is asked for.
    pub(crate) fn interface(&self) -> &AdiConfig {
        &self.interface
    }

    /// Composes a virtual device and serves it at its name.
    ///
    /// # Errors
    /// [`ServeError`]; nothing of it is left then.
    pub(crate) fn create(&self, name: Name, config: AdiConfig) -> Result<Summary, ServeError> {
        let socket = socket_in(&self.directory, &name);
        check_socket(&name, &socket)?;
        let planned = Planned {
            name,
            socket: None,
            shape: Shape::Virtual(config),
        };
        self.serve(&planned, socket)
    }

    fn serve(&self, planned: &Planned, socket: PathBuf) -> Result<Summary, ServeError> {
        let name = &planned.name;
        let mut inner = self.inner();
        if inner.served.contains_key(name) {
            return Err(ServeError::SameName(name.clone()));
        }
        let function = inner.make(planned, &self.parent)?;
        let listening = self.server.listen(&socket, function.device());
        let id = match listening {
            Ok(id) => id,
            Err(error) => {
                function.end(Hold::nobody());
                let name = name.clone();
                return Err(ServeError::Listen { name, error });
            }
        };
        let served = Served {
            name: name.clone(),
            socket,
            id,
            function,
        };
        let summary = served.summary();
        inner.served.insert(name.clone(), served);
        Ok(summary)
    }

    /// Disconnects a virtual device's client and destroys the device. `true`: its
    /// work has ended; `false`: it has not within some seconds, and will.
    ///
    /// # Errors
    /// [`DestroyError`].
    pub(crate) fn destroy(&self, name: &Name) -> Result<bool, DestroyError> {
        let mut inner = self.inner();
        let served = inner
            .served
            .get(name)
            .ok_or_else(|| NoDevice(name.clone()))?;
        if !served.function.is_composed() {
            return Err(DestroyError::Physical(name.clone()));
        }
        let Some(served) = inner.served.remove(name) else {
            return Err(NoDevice(name.clone()).into());
        };
        drop(inner);
        self.server.remove(served.id);
        let (hold, quiet) = awaited();
        served.function.end(hold);
        Ok(is_quiet(&quiet))
    }

    /// Takes back a device's interrupt handles; says how many.
    ///
    /// # Errors
    /// [`NoDevice`].
    pub(crate) fn revoke(&self, name: &Name) -> Result<u32, NoDevice> {
        let inner = self.inner();
        let served = inner
            .served
            .get(name)
            .ok_or_else(|| NoDevice(name.clone()))?;
        let function = served.function.clone();
        drop(inner);
        Ok(function.revoke_handles())
    }

    /// All devices, by name.
    pub(crate) fn list(&self) -> Vec<Summary> {
        self.inner().served.values().map(Served::summary).collect()
    }

    /// One device.
    ///
    /// # Errors
    /// [`NoDevice`].
    pub(crate) fn get(&self, name: &Name) -> Result<Summary, NoDevice> {
        let inner = self.inner();
        let served = inner.served.get(name);
        served
            .map(Served::summary)
            .ok_or_else(|| NoDevice(name.clone()))
    }

    /// What all devices counted.
    pub(crate) fn statistics(&self) -> Statistics {
        let inner = self.inner();
        Statistics {
            parent: inner.parent.as_ref().map(|parent| {
                let usage = parent.usage();
                ParentStatistics {
                    interfaces: usage.interfaces,
                    engines: parent.config().engines.into(),
                    cpus: parent.config().cpus(),
                    ims_entries: usage.ims_entries,
                    ims_used: usage.ims_used,
                }
            }),
            devices: inner.served.values().map(Served::statistics).collect(),
        }
    }

    /// Lets engines finish what devices have taken, disconnects all clients, removes
    /// all sockets and destroys all devices. `false`: some work had not ended within
    /// some seconds, and was given up, or has not let go even then.
    pub(crate) fn stop(self) -> bool {
        let drained = ask(&self.inner(), Function::drain);
        // Nobody submits any more when this returns.
        let Self { server, inner, .. } = self;
        server.stop();
        let inner = inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        drained & ask(&inner, Function::end)
    }
}

/// Asks all devices for something, and waits for it, some seconds.
fn ask(inner: &Inner, what: impl Fn(&Function, Hold)) -> bool {
    let (hold, quiet) = awaited();
    for served in inner.served.values() {
        what(&served.function, hold.clone());
    }
    drop(hold);
    is_quiet(&quiet)
}

impl Inner {
    fn make(&mut self, planned: &Planned, plan: &ParentPlan) -> Result<Function, ServeError> {
        match &planned.shape {
            Shape::Virtual(config) => {
                let parent = match &mut self.parent {
                    Some(parent) => parent,
                    none => none.insert(Parent::new(plan.config.clone())?),
                };
                Function::composed(&planned.name, parent, config.clone())
            }
            Shape::Physical(parameters) => Function::physical(&planned.name, parameters),
        }
    }
}

/// A hold, and where its end is told.
fn awaited() -> (Hold, mpsc::Receiver<()>) {
    let (ended, quiet) = mpsc::channel();
    let hold = Hold::new(move || {
        // Nobody waits any more: that is fine.
        let _ = ended.send(());
    });
    (hold, quiet)
}

fn is_quiet(quiet: &mpsc::Receiver<()>) -> bool {
    quiet.recv_timeout(QUIET).is_ok()
}
