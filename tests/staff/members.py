"""Staff members for tests."""

from dataclasses import dataclass

from bedesten.gate.passwords import PasswordHash
from bedesten.server.installation import Installation
from bedesten.staff import actions as staff
from bedesten.staff import sessions
from bedesten.staff.actions import NewMember, StaffMember
from bedesten.staff.sessions import OpenSession
from tests.domain.tenant import PASSWORD, fresh


@dataclass
class Members:
    """Creates and reads staff members of an installation."""

    installation: Installation

    def create(
        self, *roles: str, tenant: str | None = None, password: PasswordHash | None = PASSWORD, email: str = ""
    ) -> StaffMember:
        """Creates a member with these roles."""
        new = NewMember(email or f"{fresh('staff')}@shop.example", "", roles or ("owner",), tenant, password)
        return self.installation.store.write_now(lambda tx: staff.create(tx, self.installation.keyring, new))[0]

    def find(self, member: StaffMember) -> StaffMember:
        """The member's current row in the store."""
        return self.installation.store.read_now(lambda tx: staff.find(tx, member.id))

    def log_in(self, member: StaffMember) -> str:
        """Begins a session; returns its token."""
        keyring = self.installation.keyring
        made = self.installation.store.write_now(lambda tx: sessions.begin(tx, keyring, member, "192.0.2.1"))
        assert made is not None
        return made[0].reveal()

    def session(self, token: str) -> OpenSession | None:
        """The open session with this token."""
        return self.installation.store.read_now(lambda tx: sessions.find(tx, self.installation.keyring, token))

    def disable(self, member: StaffMember, disabled: bool = True) -> None:
        """Does what `bedesten staff disable` does."""
        self.installation.store.write_now(lambda tx: staff.set_disabled(tx, member, disabled))

    def reset(self, member: StaffMember, password: PasswordHash | None = None) -> str:
        """Does what `bedesten staff reset` does; returns the setup code, if there is one."""
        keyring = self.installation.keyring
        code = self.installation.store.write_now(lambda tx: staff.reset(tx, keyring, member, password))
        return code.reveal() if code else ""
