// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Processes that are killed at work: a client, the server.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use ims_dsa::layout::registers::{CMDSTATUS, DeviceState, GENSTS, INTCAUSE, SWERROR};
use ims_dsa_driver::Link;

use crate::client::{Client, WINDOW};
use crate::counts::{agree, device};
use crate::neighbour::Neighbour;
use crate::{client, serve_in, served, socket};

/// Tells a process of this program that it is the client that is killed, and at
/// which socket.
const VICTIM: &str = "IMS_FAULTS_VICTIM";
/// What it says when it is at work.
const AT_WORK: &str = "at work";
/// The registers.
const BAR: u32 = 0;

/// Works until it is killed, and always has something under way.
fn work_for_ever(socket: &Path) -> ! {
    let mut client = Client::open(socket).unwrap();
    client.round().unwrap();
    for place in 0..WINDOW {
        client.begin(place).unwrap();
    }
    println!("{AT_WORK}");
    loop {
        for place in 0..WINDOW {
            client.end(place).unwrap();
            client.begin(place).unwrap();
        }
    }
}

/// Registers that tell one client of another.
fn is_as_after_power_on(socket: &Path) {
    let mut link = Link::connect(socket).unwrap();
    for register in [GENSTS, CMDSTATUS, INTCAUSE, SWERROR] {
        let mut value = [0; 4];
        link.read(BAR, register, &mut value).unwrap();
        assert_eq!(u32::from_le_bytes(value), 0, "register {register:#x}");
    }
    const { assert!(DeviceState::Disabled as u32 == 0) };
}

#[test]
fn after_a_killed_client_the_next_has_a_fresh_device_and_neighbours_noticed_nothing() {
    const NAME: &str = "processes::after_a_killed_client_the_next_has_a_fresh_device_and_\
                        neighbours_noticed_nothing";
    if let Some(socket) = env::var_os(VICTIM) {
        work_for_ever(socket.as_ref());
    }
    let served = served("killed-client");
    let neighbour = Neighbour::of(client(&served, "vdsa1"));
    for round in 0..6 {
        let name = ["vdsa0", "dsa"][round % 2];
        let socket = socket(&served, name);
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(VICTIM, &socket)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(victim.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains(AT_WORK)));
        neighbour.goes_on();
        assert_eq!(device(&served, name)["state"], "enabled");
        victim.kill().unwrap();
        victim.wait().unwrap();
        if name == "vdsa0" {
            is_as_after_power_on(&socket);
        }
        let mut next = Client::open(&socket).unwrap();
        next.round().unwrap();
        next.untouched();
        neighbour.goes_on();
    }
    agree(&served, "vdsa1", &mut neighbour.finish());
}

#[test]
fn clients_of_a_killed_server_are_told_unharmed_and_its_sockets_serve_again() {
    let mut served = served("killed-server");
    for _ in 0..3 {
        let names = ["vdsa0", "vdsa1", "dsa"];
        let clients = names.map(|name| client(&served, name));
        thread::scope(|scope| {
            let workers = clients.map(|mut client| {
                // On its way before the server is killed.
                client.round().unwrap();
                scope.spawn(move || {
                    let error = loop {
                        if let Err(error) = client.round() {
                            break error;
                        }
                    };
                    (client, error)
                })
            });
            served.kill();
            for worker in workers {
                let (mut client, error) = worker.join().unwrap();
                println!("told: {error}");
                assert!(client.driver.link().is_hung_up().unwrap());
                // And from now on, too.
                client.round().unwrap_err();
                client.untouched();
            }
        });
        let begun = Instant::now();
        // Its sockets and its file are still there.
        let dir = served.dir.clone();
        let next = serve_in(dir);
        for name in names {
            let mut client = client(&next, name);
            client.round().unwrap();
        }
        println!(
            "all work {:?} after the next server's start",
            begun.elapsed()
        );
        served = served.succeeded_by(next);
    }
}
