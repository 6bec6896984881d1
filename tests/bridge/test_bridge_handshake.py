"""Who gets in after the gate: codes, keys, both proofs (bridge.md (c) 4, 6, 7)."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest
from bridge_world import INSTANCE, SIMULATED, World, bare

from flowkit_mcp.bridge import pairing
from flowkit_mcp.bridge.pairing import CODE_LIFE_MS, PairingBook, PairingCode, profile_key, proof
from flowkit_mcp.bridge.protocol import Bye, Challenge, FlowState, Hello, Welcome
from flowkit_mcp.errors import InvalidSetting

OTHER = "b" * 32
#: Node's crypto.hkdfSync("sha256", bytes 0..31, the instance, "flowkit bridge", 32).
HKDF_BY_NODE = "250b9e2df99ed1ac55cb8f99ec12612855191bed0760bd85a7eb803ea69efb93"


def paired_key(world: World, instance: str = INSTANCE) -> bytes:
    code = world.book.issue_code(world.port)
    key = profile_key(code.secret, instance)
    world.book.confirm(instance, key, "bare")
    return key


async def test_a_paired_profile_is_welcomed_with_generation_and_library(world: World) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:
        challenge = await extension.greet(key)
        welcome = await extension.receive()
    assert isinstance(welcome, Welcome)
    assert (challenge.generation, welcome.generation, welcome.library) == (1, 1, "test")


async def test_the_server_proves_itself_before_the_extension_says_anything(world: World) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:
        nonce = pairing.new_nonce()
        await extension.send(Hello(protocol=1, instance=INSTANCE, nonce=nonce))
        challenge = await extension.receive()
    good = proof(key, "srv", world.port, INSTANCE, nonce, challenge.nonce, challenge.generation)
    assert challenge.proof == good


async def test_an_unpaired_profile_is_told_so_and_closed_4003(world: World) -> None:
    async with bare(world.port) as extension:
        await extension.send(Hello(protocol=1, instance=INSTANCE, nonce="0" * 64))
        bye = await extension.receive()
        assert isinstance(bye, Bye) and bye.code == "unpaired"
        assert await extension.closed() == 4003
    assert world.host.profiles == []


async def test_another_protocol_version_is_closed_4002(world: World) -> None:
    paired_key(world)
    async with bare(world.port) as extension:
        await extension.send(Hello(protocol=2, instance=INSTANCE, nonce="0" * 64))
        assert await extension.closed() == 4002


def _reflected(good: str, challenge: Challenge) -> str:
    return challenge.proof


def _zeros(good: str, challenge: Challenge) -> str:
    return "0" * 64


def _almost(good: str, challenge: Challenge) -> str:
    return good[:-1] + ("0" if good[-1] != "0" else "1")


@pytest.mark.parametrize("forge", [_reflected, _zeros, _almost])
async def test_a_wrong_or_reflected_proof_is_closed_4003(world: World, forge: object) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:
        await extension.greet(key, forge=forge)  # type: ignore[arg-type]
        assert await extension.closed() == 4003
    assert world.host.flow is None


async def test_a_replayed_proof_is_worth_nothing_under_a_new_nonce(world: World) -> None:
    key = paired_key(world)
    seen: list[str] = []
    async with bare(world.port) as extension:
        await extension.greet(key, forge=lambda good, _: seen.append(good) or good)
        assert isinstance(await extension.receive(), Welcome)
    async with bare(world.port) as extension:
        await extension.greet(key, forge=lambda good, _: seen[0])
        assert await extension.closed() == 4003


async def test_a_proof_for_another_port_is_refused(world: World) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:
        await extension.greet(key, proof_port=world.port - 1)
        assert await extension.closed() == 4003


async def test_a_proof_for_another_generation_is_refused(world: World) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:

        def older(good: str, challenge: Challenge) -> str:
            return proof(key, "ext", world.port, INSTANCE, "0" * 64, challenge.nonce, 0)

        await extension.greet(key, forge=older)
        assert await extension.closed() == 4003


async def test_one_profile_s_key_does_not_open_another_profile(world: World) -> None:
    mine = paired_key(world, INSTANCE)
    paired_key(world, OTHER)
    async with bare(world.port) as extension:
        await extension.greet(mine, instance=OTHER)
        assert await extension.closed() == 4003
    assert world.host.profiles == []


async def test_a_code_pairs_one_profile_once(world: World) -> None:
    code = world.book.issue_code(world.port)
    async with bare(world.port) as extension:
        await extension.greet(profile_key(code.secret, INSTANCE), pairing_=True)
        assert isinstance(await extension.receive(), Welcome)
    async with bare(world.port) as extension:
        await extension.send(Hello(protocol=1, instance=OTHER, nonce="0" * 64, pairing=True))
        assert await extension.closed() == 4003
    assert [one.instance for one in world.book.profiles()] == [INSTANCE]


async def test_two_profiles_that_race_with_one_code_do_not_both_get_in(world: World) -> None:
    code = world.book.issue_code(world.port)
    async with bare(world.port) as first, bare(world.port) as second:
        hello = Hello(protocol=1, instance=OTHER, nonce="0" * 64, pairing=True)
        await second.send(hello)
        challenge = await second.receive()
        await first.greet(profile_key(code.secret, INSTANCE), pairing_=True)
        assert isinstance(await first.receive(), Welcome)
        key = profile_key(code.secret, OTHER)
        late = proof(key, "ext", world.port, OTHER, hello.nonce, challenge.nonce, 1)
        await second.send(
            f'{{"type":"proof","proof":"{late}","version":"1","label":"x",'
            f'"flow":{SIMULATED.model_dump_json()}}}'
        )
        assert await second.closed() == 4003
    assert [one.instance for one in world.book.profiles()] == [INSTANCE]


async def test_a_code_is_worthless_after_ten_minutes(world: World) -> None:
    world.book.issue_code(world.port)
    world.clock.ahead_ms = CODE_LIFE_MS + 1
    async with bare(world.port) as extension:
        await extension.send(Hello(protocol=1, instance=INSTANCE, nonce="0" * 64, pairing=True))
        assert await extension.closed() == 4003


async def test_a_wrong_code_does_not_use_up_the_right_one(world: World) -> None:
    code = world.book.issue_code(world.port)
    async with bare(world.port) as extension:
        await extension.greet(profile_key(b"x" * 32, OTHER), instance=OTHER, pairing_=True)
        assert await extension.closed() == 4003
    async with bare(world.port) as extension:
        await extension.greet(profile_key(code.secret, INSTANCE), pairing_=True)
        assert isinstance(await extension.receive(), Welcome)


async def test_a_real_browser_may_not_meet_a_simulated_library(world: World) -> None:
    code = world.book.issue_code(world.port)
    async with bare(world.port) as extension:
        await extension.greet(
            profile_key(code.secret, INSTANCE), pairing_=True, flow=FlowState(simulated=False)
        )
        bye = await extension.receive()
        assert isinstance(bye, Bye) and bye.code == "simulated"
        assert await extension.closed() == 4006
    assert world.host.flow is None
    assert world.book.profiles() == []


async def test_the_simulator_s_browser_may_not_meet_a_real_library(world: World) -> None:
    world.simulated = False
    await world.lead(port=0)
    key = paired_key(world)
    async with bare(world.port) as extension:
        await extension.greet(key)
        assert await extension.closed() == 4006


async def test_a_browser_that_turns_real_while_connected_is_closed_4006(world: World) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:
        await extension.greet(key)
        await extension.receive()
        await extension.send('{"type":"event","flow":{"simulated":false,"tab":"ready"}}')
        assert await extension.closed() == 4006
    await world.until(lambda: world.host.flow is None)


async def test_a_revoked_profile_is_closed_at_its_next_ping_and_stays_out(world: World) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:
        await extension.greet(key)
        await extension.receive()
        assert world.book.revoke(INSTANCE)
        await extension.send('{"type":"ping","at":1}')
        assert await extension.closed() == 4003
    async with bare(world.port) as extension:
        await extension.send(Hello(protocol=1, instance=INSTANCE, nonce="0" * 64))
        assert await extension.closed() == 4003


async def test_a_profile_that_unpairs_itself_is_forgotten_here_too(world: World) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:
        await extension.greet(key)
        await extension.receive()
        await extension.send(Bye(code="shutdown"))
        await extension.send('{"type":"ping","at":1}')
        assert (await extension.receive()).type == "pong", "another goodbye forgets nobody"
        await extension.send(Bye(code="unpaired", message="unpaired in the browser"))
        await extension.send('{"type":"ping","at":2}')
        assert (await extension.receive()).type == "pong"
        assert await extension.closed() == 4003
    assert world.book.profiles() == []


async def test_a_second_handshake_on_a_proved_socket_is_malformed(world: World) -> None:
    key = paired_key(world)
    async with bare(world.port) as extension:
        await extension.greet(key)
        await extension.receive()
        await extension.send(Hello(protocol=1, instance=OTHER, nonce="0" * 64))
        assert await extension.closed() == 4001


async def test_no_secret_reaches_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    code = world.book.issue_code(world.port)
    key = profile_key(code.secret, INSTANCE)
    async with bare(world.port) as extension:
        await extension.greet(key, pairing_=True)
        await extension.receive()
    async with bare(world.port) as extension:
        await extension.greet(key, forge=_zeros)
        await extension.closed()
    ours = "\n".join(one.getMessage() for one in caplog.records if "flowkit" in one.name)
    for secret in (code.secret.hex(), key.hex(), str(code)):
        assert secret not in ours
        assert secret not in repr(code)
        assert secret not in f"{world.book.profiles()!r} {world.book.profiles()[0]}"


# ---- the pairing file ------------------------------------------------------------------------


def test_the_pairing_file_is_for_its_owner_only(world_book: tuple[PairingBook, Path]) -> None:
    book, file = world_book
    book.issue_code(47815)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_a_pairing_file_that_others_can_read_is_refused(
    world_book: tuple[PairingBook, Path],
) -> None:
    book, file = world_book
    book.issue_code(47815)
    file.chmod(0o640)
    with pytest.raises(InvalidSetting, match="read by others"):
        book.key_for(INSTANCE, pairing=True)


def test_a_symbolic_link_as_pairing_file_is_refused(world_book: tuple[PairingBook, Path]) -> None:
    book, file = world_book
    book.issue_code(47815)
    target = file.with_name("elsewhere.json")
    file.rename(target)
    file.symlink_to(target)
    with pytest.raises(InvalidSetting, match="symbolic link"):
        book.key_for(INSTANCE, pairing=True)


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs to change owners")
def test_a_pairing_file_of_another_user_is_refused(world_book: tuple[PairingBook, Path]) -> None:
    book, file = world_book
    book.issue_code(47815)
    os.chown(file, 12345, -1)
    with pytest.raises(InvalidSetting, match="read by others"):
        book.key_for(INSTANCE, pairing=True)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"profiles": 3}'])
def test_a_damaged_pairing_file_says_what_to_do(
    world_book: tuple[PairingBook, Path], content: bytes
) -> None:
    book, file = world_book
    book.issue_code(47815)
    file.write_bytes(content)
    with pytest.raises(InvalidSetting, match=r"damaged.*Delete it"):
        book.profiles()


async def test_a_damaged_pairing_file_keeps_everybody_out_without_a_crash(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = paired_key(world)
    (tmp_path / "state" / "pairing.json").write_bytes(b"{")
    async with bare(world.port) as extension:
        await extension.send(Hello(protocol=1, instance=INSTANCE, nonce="0" * 64))
        assert await extension.closed() == 4003
    assert "damaged" in caplog.text
    assert key.hex() not in caplog.text


@pytest.mark.parametrize(
    "text",
    ["", "fk1.47815.abc", f"fk1.47815.{'A' * 64}", f"fk1.٤٧٨١٥.{'a' * 64}", f"fk1.80.{'a' * 64}",
     f"fk1.99999.{'a' * 64}", f"fk2.47815.{'a' * 64}", f"fk1.47815.{'a' * 64} x"],
)  # fmt: skip
def test_what_is_no_pairing_code_is_named_without_being_repeated(text: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        PairingCode.parse(text)
    assert "a" * 64 not in str(caught.value)


def test_a_code_survives_being_pasted_with_blanks_around_it() -> None:
    code = PairingCode(47815, bytes(range(32)))
    assert PairingCode.parse(f"  {code}\n") == code


def test_the_profile_key_is_hkdf_as_webcrypto_derives_it() -> None:
    assert profile_key(bytes(range(32)), "0123456789abcdef" * 2).hex() == HKDF_BY_NODE
