"""All accounts, the statements that were asked for, and the large results that wait to be fetched."""

import threading

from chunks import Chunks
from refusal import Refusal


class Query:
    """A statement that runs or ran: its answer is for whoever asks with its request's id, or its own."""

    def __init__(self, session, statement):
        self.session, self.statement = session, statement
        self.done = threading.Event()
        self.answer = None
        self.empty_polls = 0


class World:
    """All accounts, and what belongs to none of them."""

    def __init__(self, make_account):
        self.make_account = make_account
        self.accounts, self.queries, self.requests = {}, {}, {}
        self.chunks = Chunks()
        self.lock = threading.Lock()

    def add(self):
        account = self.make_account()
        self.accounts[account.name] = account
        return account

    def session_of(self, token):
        for account in list(self.accounts.values()):
            if token in account.sessions:
                return account.session_of(token)
        raise Refusal(390104, "User must login again to access the service.", "08001")
