// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A server in this process, controlled over its socket.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::super::plan::{Plan, Planned, Shape};
use super::super::{ServeError, Serving};
use crate::control::message::{Answer, Create, Kind, Reason, Refusal, Request, Shown, Statistics};
use crate::control::{ControlError, Name, Place, ask};
use crate::scratch::Scratch;
use ims_dsa::adi::AdiConfig;

pub(super) struct Running {
    pub(super) serving: Option<Serving>,
    pub(super) plan: Plan,
    pub(super) scratch: Scratch,
}

pub(super) fn plan(scratch: &Scratch) -> Plan {
    let mut plan = Plan::new(&Place::of_user());
    plan.directory = scratch.path().to_owned();
    plan.control = scratch.join("control");
    plan.parent.config.engines = 1;
    plan.parent.config.ims_entries = 256;
    plan.parent.entries_given = true;
    plan
}

impl Running {
    pub(super) fn new(name: &str, devices: &[(&str, Shape)]) -> Self {
        let scratch = Scratch::new(name);
        let mut plan = plan(&scratch);
        for (name, shape) in devices {
            plan.devices.push(Planned {
                name: name.parse().unwrap(),
                socket: None,
                shape: shape.clone(),
            });
        }
        plan.complete().unwrap();
        let serving = Some(Serving::start(&plan).unwrap());
        Self {
            serving,
            plan,
            scratch,
        }
    }

    pub(super) fn ask(&self, request: &Request) -> Result<Answer, Refusal> {
        match ask(&self.plan.control, request) {
            Ok(answer) => Ok(answer),
            Err(ControlError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn create(&self, name: &str, vectors: Option<u32>) -> Result<Shown, Refusal> {
        let create = Create {
            name: name.parse().unwrap(),
            vectors,
            queue_size: None,
            priority: None,
        };
        match self.ask(&Request::Create(create))? {
            Answer::Created(shown) => Ok(shown),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        match self.ask(&Request::Stat) {
            Ok(Answer::Statistics(statistics)) => statistics,
            other => panic!("{other:?}"),
        }
    }

    fn names(&self) -> Vec<String> {
        match self.ask(&Request::List) {
            Ok(Answer::Devices { devices }) => devices
                .iter()
                .map(|device| device.name.to_string())
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.scratch.path()).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

pub(super) fn interface() -> Shape {
    Shape::Virtual(AdiConfig::default())
}

pub(super) fn name(name: &str) -> Name {
    name.parse().unwrap()
}

#[test]
fn interfaces_come_and_go_while_it_runs() {
    let mut running = Running::new("come-and-go", &[("first", interface())]);
    assert_eq!(running.names(), ["first"]);
    let created = running.create("second", Some(3)).unwrap();
    assert_eq!(created.device.kind, Kind::Virtual);
    assert_eq!(created.device.vectors, 3);
    assert_eq!(
        PathBuf::from(&created.device.socket),
        running.scratch.join("second.sock")
    );
    assert!(created.qemu[1].contains("second.sock"));
    assert_eq!(running.names(), ["first", "second"]);

    let shown = running
        .ask(&Request::Show {
            name: name("second"),
        })
        .unwrap();
    assert!(matches!(shown, Answer::Shown(shown) if shown == created));
    let statistics = running.statistics();
    let parent = statistics.parent.unwrap();
    assert_eq!(
        (parent.interfaces, parent.engines, parent.ims_entries),
        (2, 1, 256)
    );
    let pasids: Vec<_> = statistics
        .devices
        .iter()
        .map(|it| it.device.pasid)
        .collect();
    assert_ne!(pasids[0], pasids[1]);

    let destroyed = running
        .ask(&Request::Destroy {
            name: name("first"),
        })
        .unwrap();
    assert!(matches!(destroyed, Answer::Destroyed { quiet: true, .. }));
    assert!(!running.scratch.join("first.sock").exists());
    assert_eq!(running.names(), ["second"]);
    running.create("first", None).unwrap();

    assert!(running.serving.take().unwrap().stop());
    assert!(running.sockets().is_empty(), "{:?}", running.sockets());
}

#[test]
fn what_cannot_be_done_is_refused_with_the_device_and_the_remedy() {
    let running = Running::new("refused", &[("a", interface())]);
    let refusal = running.create("a", None).unwrap_err();
    assert_eq!(refusal.reason, Reason::NameTaken);
    assert_eq!(
        refusal.message,
        "there is a device \"a\" already; use another name"
    );
    let refusal = running.create("b", Some(0)).unwrap_err();
    assert_eq!(refusal.reason, Reason::OutOfRange);
    let expected = "b: vectors is 0; it must be a whole number from 1 to 2048";
    assert_eq!(refusal.message, expected);
    // One too many for the parent, though none are in use.
    let refusal = running.create("b", Some(258)).unwrap_err();
    assert_eq!(refusal.reason, Reason::OutOfRange);
    assert!(
        refusal.message.starts_with("b: 257 IMS-backed vectors"),
        "{}",
        refusal.message
    );
    std::fs::write(running.scratch.join("c.sock"), "mine").unwrap();
    let refusal = running.create("c", None).unwrap_err();
    assert_eq!(refusal.reason, Reason::NameTaken);
    assert!(
        refusal.message.contains("is not a socket; remove it"),
        "{}",
        refusal.message
    );
    for request in [
        Request::Destroy { name: name("z") },
        Request::Show { name: name("z") },
        Request::Revoke { name: name("z") },
    ] {
        let refusal = running.ask(&request).unwrap_err();
        assert_eq!(refusal.reason, Reason::NoSuchDevice);
        assert_eq!(
            refusal.message,
            "no device is called \"z\"; `ims adi list` names them"
        );
    }
    assert_eq!(
        running.names(),
        ["a"],
        "nothing is left of what was refused"
    );
    assert_eq!(running.statistics().parent.unwrap().interfaces, 1);
}

#[test]
fn a_second_server_is_refused_and_disturbs_nothing() {
    let running = Running::new("second-server", &[("a", interface())]);
    let started = Serving::start(&running.plan);
    assert!(matches!(started, Err(ServeError::Listen { .. })));
    // Nor at the same control socket with other devices.
    let mut other = running.plan.clone();
    other.devices[0].name = name("b");
    let Err(error) = Serving::start(&other) else {
        panic!("two servers at one control socket");
    };
    let error = error.to_string();
    assert!(error.contains("is served by another process"), "{error}");
    assert!(error.ends_with("or name another with --control"), "{error}");
    assert!(!running.scratch.join("b.sock").exists());
    assert_eq!(running.names(), ["a"]);
    assert!(running.scratch.join("a.sock").exists());
}

#[test]
fn sockets_of_a_dead_server_are_replaced() {
    let scratch = Scratch::new("dead");
    let mut plan = plan(&scratch);
    plan.devices.push(Planned {
        name: name("a"),
        socket: None,
        shape: interface(),
    });
    for left in ["a.sock", "control"] {
        drop(UnixListener::bind(scratch.join(left)).unwrap());
    }
    let serving = Serving::start(&plan).unwrap();
    ask(&plan.control, &Request::List).unwrap();
    assert!(serving.stop());
}

#[test]
fn revoking_with_no_handles_is_no_error() {
    let running = Running::new("revoke", &[("a", interface())]);
    let answer = running.ask(&Request::Revoke { name: name("a") }).unwrap();
    assert!(matches!(answer, Answer::Revoked { handles: 0, .. }));
}
