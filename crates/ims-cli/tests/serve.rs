// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program as its user starts it: `ims serve`, `ims adi`, `ims stat`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod program;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

use ims_dsa::layout::{Descriptor, Flags, Opcode};
use ims_dsa_driver::Driver;
use program::{Home, ended, json};
use rustix::process::{Signal, geteuid};
use serde_json::Value;
use zerocopy::little_endian::{U32, U64};

#[test]
fn a_signal_ends_it_in_order_and_no_socket_is_left() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new("signal");
        let mut server = home.serve(&["--compose", "3"]);
        assert_eq!(server.said["devices"].as_array().unwrap().len(), 3);
        let control = server.said["control"].as_str().unwrap();
        assert_eq!(fs::metadata(control).unwrap().mode() & 0o777, 0o600);
        let place = fs::metadata(home.join("ims")).unwrap();
        assert_eq!(place.mode() & 0o777, 0o700);
        // A client that is there does not hold it up.
        let socket = server.said["devices"][0]["socket"].as_str().unwrap();
        let client = UnixStream::connect(socket).unwrap();
        server.signal(signal);
        let output = server.wait();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stderr, b"", "{output:?}");
        let left = fs::read_dir(home.join("ims")).unwrap().count();
        assert_eq!(left, 0);
        drop(client);
    }
}

#[test]
fn what_was_taken_before_a_signal_is_finished_first() {
    const COPIES: u64 = 100;
    const SIZE: u32 = 8 << 20;
    let home = Home::new("drain");
    let mut server = home.serve(&["--compose", "1"]);
    let socket = server.said["devices"][0]["socket"].as_str().unwrap();
    let mut driver = Driver::open(Path::new(socket), 32 << 20, 1).unwrap();
    driver.enable().unwrap();
    driver.enable_queue(0).unwrap();
    let source = driver.arena.take(SIZE as usize, 0x1000).unwrap().address;
    let target = driver.arena.take(SIZE as usize, 0x1000).unwrap().address;
    let records = driver.arena.take(32 * COPIES as usize, 32).unwrap().address;
    driver
        .arena
        .write(source, &vec![0x5a; SIZE as usize])
        .unwrap();
    let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
    for number in 0..COPIES {
        let copy = Descriptor {
            completion: U64::new(records + 32 * number),
            source: U64::new(source),
            destination: U64::new(target),
            size: U32::new(SIZE),
            ..Descriptor::new(Opcode::MemoryMove, flags)
        };
        driver.submit(0, false, &copy).unwrap();
    }
    // All of them have been taken when this is answered.
    driver.state().unwrap();
    server.signal(Signal::TERM);
    let output = server.wait();
    assert!(output.status.success(), "{output:?}");
    for number in 0..COPIES {
        let record = driver.arena.completion(records + 32 * number).unwrap();
        assert_eq!(record.map(|record| record.status), Some(1), "copy {number}");
    }
}

#[test]
fn a_client_that_breaks_the_protocol_is_told_of_by_device_and_process() {
    let home = Home::new("broken");
    let mut server = home.serve(&["--compose", "1"]);
    let socket = server.said["devices"][0]["socket"].as_str().unwrap();
    let mut client = UnixStream::connect(socket).unwrap();
    // A header that says it is shorter than a header.
    client.write_all(&[0; 16]).unwrap();
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    server.signal(Signal::TERM);
    let output = server.wait();
    let said = String::from_utf8(output.stderr).unwrap();
    let client = format!("client={}", std::process::id());
    for words in ["WARN", "device=\"vdsa0.sock\"", &client, "disconnected"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_second_server_is_refused_and_one_that_died_is_replaced() {
    let home = Home::new("second");
    let mut first = home.serve(&[]);
    let second = home.ims(&["serve", "--compose", "0"]);
    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8(second.stderr).unwrap();
    assert!(
        error.contains("is served by another process; stop it"),
        "{error}"
    );
    assert_eq!(home.names(), ["vdsa0"], "the first goes on");
    first.signal(Signal::KILL);
    assert_eq!(first.wait().status.signal(), Some(9));
    assert!(home.join("ims/vdsa0.sock").exists());
    let gone = home.ims(&["adi", "list"]);
    assert_eq!(gone.status.code(), Some(1));
    let error = String::from_utf8(gone.stderr).unwrap();
    assert!(error.starts_with("ims adi: no server at "), "{error}");
    assert!(error.contains("start one with `ims serve`"), "{error}");
    let mut third = home.serve(&[]);
    assert_eq!(home.names(), ["vdsa0"]);
    third.signal(Signal::TERM);
    assert!(third.wait().status.success());
}

#[test]
fn interfaces_are_created_shown_and_destroyed_from_the_command_line() {
    let home = Home::new("adi");
    let _server = home.serve(&["--compose", "0", "--vectors", "3"]);
    let created = json(&home.ims(&["adi", "create", "net0", "--queue-size", "16", "--json"]));
    assert_eq!(created["answer"], "created");
    assert_eq!(created["kind"], "virtual");
    assert_eq!(created["vectors"], 3, "as the server was told");
    let socket = home.join("ims/net0.sock");
    assert_eq!(created["socket"], socket.to_str().unwrap());
    let device: Value = serde_json::from_str(created["qemu"][1].as_str().unwrap()).unwrap();
    assert_eq!(device["driver"], "vfio-user-pci");
    assert_eq!(device["socket"]["path"], socket.to_str().unwrap());

    let shown = home.said(&["adi", "show", "net0"]);
    assert!(shown.contains("qemu-system-x86_64 \\\n"), "{shown}");
    assert!(shown.contains("modprobe idxd"), "{shown}");
    let listed = home.said(&["adi", "list"]);
    assert!(
        listed.starts_with("NAME  KIND     STATE     PASID"),
        "{listed}"
    );
    let refused = home.ims(&["adi", "create", "net0", "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let refused: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(
        (&refused["answer"], &refused["reason"]),
        (&"refused".into(), &"name-taken".into())
    );
    let revoked = home.said(&["adi", "revoke", "net0"]);
    assert!(revoked.contains("has no interrupt handles"), "{revoked}");

    let counted = json(&home.ims(&["stat", "--json"]));
    assert_eq!(counted["parent"]["interfaces"], 1);
    assert_eq!(counted["parent"]["ims-used"], 0);
    assert_eq!(counted["devices"][0]["name"], "net0");
    assert_eq!(counted["devices"][0]["queues"][0]["submitted"], 0);
    let vector = &counted["devices"][0]["interrupts"][0];
    for count in [
        "raised",
        "delivered",
        "coalesced",
        "held",
        "faulted",
        "dropped",
    ] {
        assert_eq!(vector[count], 0, "{count}");
    }
    assert_eq!(vector["kind"], "emulated");
    let table = home.said(&["stat"]);
    assert!(table.contains("DEVICE  VECTOR  KIND"), "{table}");
    let other = home.ims(&["stat", "other"]);
    assert_eq!(other.status.code(), Some(1));

    assert_eq!(home.said(&["adi", "destroy", "net0"]), "Destroyed net0.\n");
    assert!(!socket.exists());
    assert!(home.names().is_empty());
}

#[test]
fn watching_shows_again_until_nobody_reads() {
    let home = Home::new("watch");
    let _server = home.serve(&[]);
    let mut watching = home
        .command(&["stat", "--watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["devices"][0]["name"], "vdsa0");
    }
    drop(lines);
    assert!(ended(&mut watching).success());
}

#[test]
fn a_file_of_both_kinds_is_served() {
    let home = Home::new("mixed");
    let file = home.join("a.toml");
    let dir = home.join("sockets");
    let text = format!(
        "dir = {dir:?}\n[parent]\nengines = 1\n[[interface]]\nname = \"v\"\n\
         [[function]]\nname = \"f\"\nims-entries = 256\n"
    );
    fs::write(&file, text).unwrap();
    let server = home.serve(&[file.to_str().unwrap()]);
    assert_eq!(home.names(), ["f", "v"]);
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    assert!(dir.join("f.sock").exists() && dir.join("v.sock").exists());
    let physical = &server.said["devices"][0];
    assert_eq!(physical["kind"], "physical");
    let machine = physical["machine"].to_string();
    assert!(machine.contains("intremap=on"), "{machine}");

    fs::write(&file, "[[interface]]\nname = \"v\"\nvectorz = 1\n").unwrap();
    let refused = home.ims(&["serve", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains(":3:1: no field \"vectorz\" in [[interface]]; did you mean"),
        "{error}"
    );
}

#[test]
fn a_thousand_are_served_by_the_threads_of_one() {
    let home = Home::new("thousand");
    let threads = |pid: u32| fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    let flags = ["--compose", "1000", "--ims-entries", "1024"];
    let mut many = home.serve(&flags);
    let names: Vec<_> = (0..1000).map(|number| format!("vdsa{number}")).collect();
    assert_eq!(home.names(), names);
    let other = Home::new("one");
    let one = other.serve(&["--compose", "1", "--ims-entries", "1024"]);
    assert_eq!(threads(many.pid()), threads(one.pid()));
    let sockets = fs::read_dir(home.join("ims")).unwrap().count();
    assert_eq!(sockets, 1001);
    UnixStream::connect(home.join("ims/vdsa999.sock")).unwrap();
    many.signal(Signal::TERM);
    assert!(many.wait().status.success());
    assert_eq!(fs::read_dir(home.join("ims")).unwrap().count(), 0);
}

#[test]
fn too_few_open_files_are_told_before_anything_is_served() {
    let home = Home::new("files");
    let script = r#"ulimit -n 200 && exec "$0" serve --compose 1000"#;
    let mut command = Command::new("sh");
    command.args(["-c", script, program::IMS]);
    let output = home.environment(&mut command).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    let expected =
        "ims serve: 1000 devices need 1064 open files to listen, and the hard limit is 200";
    assert!(error.starts_with(expected), "{error}");
    assert!(!home.join("ims").exists());
}

#[test]
fn another_user_is_refused_even_root() {
    const NOBODY: u32 = 65_534;
    if !geteuid().is_root() {
        // Who may not become another user cannot try; the check itself has a test.
        return;
    }
    let home = Home::new("user");
    let place = home.join("place");
    fs::create_dir(&place).unwrap();
    for open in [home.path(), &place] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
    }
    rustix::fs::chown(&place, Some(rustix::fs::Uid::from_raw(NOBODY)), None).unwrap();
    // Where it was built, others may not reach.
    let copy = home.join("ims-copy");
    fs::copy(program::IMS, &copy).unwrap();
    let control = place.join("control");
    let mut command = Command::new(&copy);
    command.args(["serve", "--compose", "0", "--json", "--control"]);
    command.arg(&control).arg("--dir").arg(&place);
    let server =
        program::Server::spawn(home.environment(&mut command).uid(NOBODY).current_dir("/"));
    let mut stream = UnixStream::connect(&control).unwrap();
    // It may have answered and closed already.
    let _ = stream.write_all(b"{\"request\":\"list\"}\n");
    let mut answer = String::new();
    // Closed with something unread, the stream ends by a reset, after the answer.
    let _ = stream.read_to_string(&mut answer);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["reason"], "not-permitted");
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.contains("of user 0 may not control this server; ask as user 65534"),
        "{message}"
    );

    let asked = home.ims(&["adi", "list", "--control", control.to_str().unwrap()]);
    let error = String::from_utf8(asked.stderr).unwrap();
    assert!(
        error.contains("is served by user 65534, not by you (user 0)"),
        "{error}"
    );
    drop(server);
}
