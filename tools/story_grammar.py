# SPDX-License-Identifier: Apache-2.0
"""The grammar behind models/tiny-stories: short stories for small children.

Twelve plots, each a chain of sentences with alternatives. A story has one
hero (a child or a talking animal), a problem, a way out of it and a last
line that says what was learnt. The hero keeps name and pronouns. A colour is
named once only: a model this small forgets it before the story ends.

Everything here was written for this project; no other text is used.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Hero:
    """Somebody a story can be about; `what` is "girl", "boy" or an animal."""
    name: str
    what: str
    he: str
    him: str
    his: str

    @property
    def He(self):
        return self.he.capitalize()

    @property
    def His(self):
        return self.his.capitalize()


def _girl(name, what="girl"):
    return Hero(name, what, "she", "her", "her")


def _boy(name, what="boy"):
    return Hero(name, what, "he", "him", "his")


CHILDREN = [_girl(n) for n in ("Lily", "Mia", "Anna", "Rosie", "Ella", "Sue")] + \
           [_boy(n) for n in ("Tom", "Ben", "Max", "Sam", "Leo", "Tim")]
ANIMALS = [_girl("Dot", "duck"), _girl("Daisy", "mouse"), _girl("Nell", "bunny"),
           _boy("Bob", "frog"), _boy("Fred", "fox"), _boy("Bruno", "bear")]
HELPERS = ["bird", "frog", "mouse", "fox", "duck", "bunny", "dog", "cat", "bear"]
COLOURS = ["red", "blue", "green", "yellow"]
TOYS = ["ball", "kite", "boat", "car", "drum", "doll"]
PLACES = {"the park": "in", "the garden": "in", "the forest": "in",
          "the farm": "at", "the hill": "on", "the pond": "by"}
HIDING_PLACES = ["under a bush", "behind a big tree", "in the tall grass", "next to a big rock"]
DAYS = ["One day", "One sunny day", "One morning", "One warm day"]


class Teller:
    """Tells one story; every choice comes from the generator it is given."""

    def __init__(self, rng):
        self.rng = rng

    def any(self, *choices):
        return self.rng.choice(choices)

    def child(self):
        return self.rng.choice(CHILDREN)

    def anyone(self):
        return self.rng.choice(CHILDREN if self.rng.random() < 0.6 else ANIMALS)

    def friend_of(self, hero):
        return self.rng.choice([c for c in CHILDREN if c.name != hero.name])

    def helper(self, *others):
        """An animal that is not yet in the story."""
        return self.rng.choice([a for a in HELPERS if a not in others])

    def toy(self):
        return f"{self.rng.choice(COLOURS)} {self.rng.choice(TOYS)}"

    def meet(self, h, likes):
        """The first lines; `likes` goes on after "she" ("loved to ...")."""
        once = f"Once upon a time, there was a little {h.what} named {h.name}."
        return self.any(
            f"{once} {h.He} {likes}.",
            f"{once} {h.name} {likes}.",
            f"{h.name} was a little {h.what} who {likes}.",
            f"There once was a little {h.what} named {h.name}. {h.He} {likes}.",
        )

    def owns(self, h, thing):
        """The first lines of a story about a thing."""
        once = f"Once upon a time, there was a little {h.what} named {h.name}."
        loved = self.any(f"{h.He} loved it very much.",
                         f"{h.He} took it everywhere, even to bed.",
                         f"It was {h.his} best toy.")
        return self.any(f"{once} {h.He} had a {thing}. {loved}",
                        f"{once} {h.He} had a {thing}. {loved}",
                        f"{h.name} had a {thing}. {loved}")

    def place(self):
        """("the park", "in the park")"""
        name = self.rng.choice(list(PLACES))
        return name, f"{PLACES[name]} {name}"

    def day(self):
        return self.rng.choice(DAYS)

    # -- the plots: each returns three paragraphs ---------------------------

    def lost_toy(self):
        h, thing, (place, _) = self.anyone(), self.toy(), self.place()
        toy, animal, spot = thing.split()[1], self.helper(h.what), self.rng.choice(HIDING_PLACES)
        return [
            f"{self.owns(h, thing)} {self.day()}, {h.name} took the {toy} to {place}. "
            + self.any(f"But then a big wind came, and the {toy} was gone!",
                       f"{h.He} sat down to eat a cookie, and then the {toy} was gone!"),
            self.any(f"{h.name} looked and looked, but {h.he} could not find it. {h.He} began to cry.",
                     f'"Oh no! Where is my {toy}?" said {h.name}. {h.He} was very sad.')
            + f" A little {animal} heard {h.him}. "
            + self.any(f'"Do not cry," said the {animal}. "I will help you look."',
                       f'"I am small, but I am good at finding things," said the {animal}.')
            + f" They looked up and they looked down. At last the {animal} saw the {toy} {spot}.",
            self.any(f'"Thank you!" said {h.name}, and gave the {animal} a big hug.',
                     f'{h.name} was so happy that {h.he} jumped up and down. "Thank you, little {animal}!"')
            + " " + self.any(f"They played with the {toy} until the sun went down.",
                             f"Then they shared a cookie and played all day.")
            + " " + self.any("A small friend can be a big help.",
                             f"And {h.name} learned that looking is easy when you look with a friend."),
        ]

    def sharing(self):
        h, thing = self.child(), self.toy()
        f, toy, (_, at_place) = self.friend_of(h), thing.split()[1], self.place()
        return [
            f"{self.owns(h, thing)} {self.day()}, {h.name} was playing {at_place}. {h.His} friend {f.name} came by. "
            + self.any(f'"What a nice {toy}! Can I play too?" asked {f.name}.',
                       f'"Can I play with your {toy}?" asked {f.name}.'),
            f'"No! It is mine!" said {h.name}. {f.name} was sad and sat down alone. '
            + self.any(f"{h.name} played and played, but it was not fun anymore.",
                       f"{h.name} played alone, but the {toy} was not so much fun now.")
            + " " + self.any(f"{h.He} looked at {f.name} and felt bad.",
                             f"{h.He} thought about it for a long time. It was hard to think so much."),
            f'"I am sorry," said {h.name}. "Let us play with it together." '
            + self.any(f"{f.name} smiled a big smile.", f"{f.name} jumped up and clapped.")
            + " " + self.any("They played and laughed until it was time for dinner.",
                             "They laughed so much that a duck came to see what was so funny.")
            + " " + self.any(f"{h.name} learned that sharing makes everything more fun.",
                             f"From that day on, {h.name} always liked to share. But not the cookies."),
        ]

    def stuck_animal(self):
        h, (place, at_place), animal = self.child(), self.place(), self.helper("bear", "bird", "duck")
        where, how = self.any(
            ("in a deep hole", "found a long stick and put it into the hole"),
            ("in a tall tree", "found a long rope and threw it up to the tree"),
            ("under a big rock", "pushed the rock as hard as {he} could"))
        how = how.replace("{he}", h.he)
        return [
            self.meet(h, self.any(f"loved to walk to {place}", f"liked to play {at_place}"))
            + f' {self.day()}, {h.he} heard a small voice. "Help! Help!" said the voice. '
            + f"It was a little {animal}, and it was stuck {where}.",
            self.any(f'"Do not be scared," said {h.name}. "I will help you."',
                     f'"How did you get there?" asked {h.name}. "I do not want to talk about it," said the {animal}.')
            + f" {h.name} {how}. "
            + self.any(f"It was hard work, but {h.he} did not stop.",
                       f"{h.He} tried one time, two times, three times.")
            + f" At last the {animal} was free!",
            self.any(f'"Thank you, {h.name}! You are so kind," said the {animal}.',
                     f'The {animal} was very happy. "You saved me!" it said.')
            + " " + self.any(f"From that day on, {h.name} and the {animal} were best friends.",
                             f"The next day, the {animal} came to {h.name} with a flower.")
            + " " + self.any("When you are kind, you find a friend.",
                             "It feels good to help, even when it is hard."),
        ]

    def broken_cup(self):
        h = self.child()
        owner = self.any("mom", "dad", "grandma")
        thing = f"{self.rng.choice(COLOURS)} {self.any('cup', 'plate', 'bowl')}"
        item = thing.split()[1]
        return [
            self.meet(h, self.any("loved to run and jump in the house", "liked to dance in the kitchen"))
            + f" {self.day()}, {h.he} ran too fast and hit the table. Crash! The {thing} fell down and broke. "
            + f"It was the {item} that {h.his} {owner} loved most.",
            f"{h.name} was scared. "
            + self.any(f'"I can say that the cat did it," {h.he} thought. But the cat looked at {h.him} with big eyes.',
                       f"{h.He} wanted to hide the {item} under the bed. But that did not feel right.")
            + f' So {h.name} went to {h.his} {owner}. "I broke your {item}," {h.he} said. "I am very sorry."',
            self.any(f"{h.His} {owner} gave {h.him} a hug.", f"{h.His} {owner} was not angry at all.")
            + f' "Thank you for telling me," said {h.his} {owner}. '
            + self.any(f"They fixed the {item} together with glue. Now it was a bit funny, but they loved it even more.",
                       f"Then they made a new {item} together, with a big smile on it.")
            + " " + self.any(f"{h.name} learned that it is good to tell the truth.",
                             "The truth can be hard to say, but then you feel light as a bird."),
        ]

    def never_give_up(self):
        h = self.anyone()
        skill = self.any("swim", "whistle", "ride a bike", "climb a tree") if h.what in ("girl", "boy") \
            else self.any("swim", "whistle", "fly a kite", "climb a tree")
        animal = self.helper(h.what)
        return [
            self.meet(h, f"wanted to {skill}")
            + f" All {h.his} friends could do it, but {h.name} could not. "
            + self.any(f"{h.He} was very sad about it.",
                       f'"It is too hard for me," said {h.name}.'),
            f"{self.day()}, {h.he} met an old {animal}. "
            + self.any(f'"I could not {skill} when I was little," said the {animal}. "I tried every day."',
                       f'"How can I learn to {skill}?" asked {h.name}. "Try, and try again," said the {animal}.')
            + f" So {h.name} tried. The first time it went wrong. The second time it went very wrong. "
            + self.any(f"But {h.name} did not give up.", f"But {h.he} tried again, day after day."),
            f'And then, one day, {h.name} could {skill}! "Look at me!" {h.he} said. '
            + self.any(f"All {h.his} friends came to see it, and they clapped.",
                       f"The old {animal} was so proud that it fell into the pond.")
            + " " + self.any("If you try and try again, you can do hard things.",
                             f"{h.name} was happy and proud. {h.He} learned to never give up."),
        ]

    def night_noise(self):
        h, animal = self.child(), self.any("cat", "mouse", "bunny", "bird")
        parent = self.any("mom", "dad")
        return [
            self.meet(h, "was not scared of anything, but " + self.any(f"{h.he} was scared of the dark",
                                                                      f"{h.he} did not like the night"))
            + f" One night, {h.name} was in bed and heard a noise. "
            + self.any("Tap, tap, tap!", "Crunch, crunch, crunch!")
            + f' "It is a monster!" {h.he} thought.',
            self.any(f"{h.name} hid under the bed, but the noise did not stop.",
                     f"{h.name} wanted to hide, but {h.he} wanted to know too.")
            + f" So {h.he} took a little light and called {h.his} {parent}. They went to look together. "
            + f"They opened the door very slowly. There was no monster. It was only a little {animal}, and it was eating a cookie!",
            f'"Sorry," said the {animal}. "I was so hungry." {h.name} laughed and laughed. '
            + self.any(f"{h.He} gave the {animal} one more cookie and went back to bed.",
                       f"{h.His} {parent} laughed too, and they all had cookies and milk.")
            + " " + self.any("Things look small when you put a light on them.",
                             f"From that day on, {h.name} was not scared of the dark."),
        ]

    def cake(self):
        h, who = self.child(), self.any("grandma", "mom", "dad")
        wrong, face = self.any(("salt", "It was so salty that"), ("soap", "It was full of bubbles, and"))
        return [
            self.meet(h, self.any("loved to eat cake", "loved to help in the kitchen"))
            + f" {self.day()}, {h.name} wanted to make a cake for {h.his} {who}. "
            + self.any(f'"I can do it alone," {h.he} said.', f"It was a big surprise."),
            f"{h.name} took milk and eggs. Then {h.he} wanted to put in some sugar. But {h.he} took the {wrong}! "
            + f"The cake looked very nice. Then {h.his} {who} took a big bite. {face} "
            + self.any("even the dog did not want it.", f"{h.his} {who} made a very funny face."),
            f'"Oh no! I made a mistake," said {h.name}. {h.He} wanted to cry. '
            + f"But {h.his} {who} began to laugh, and then {h.name} laughed too. "
            + self.any("They made a new cake together, and it was the best cake ever.",
                       "Together they made a new cake, and they ate it all.")
            + " " + self.any("It is okay to make a mistake when you try again.",
                             f"And {h.name} learned to taste things first."),
        ]

    def seed(self):
        h, colour = self.anyone(), self.rng.choice(COLOURS)
        plant, size = self.any(("flower", "house"), ("tree", "hill"), ("pumpkin", "car"))
        animal = self.helper(h.what)
        return [
            self.meet(h, self.any("loved the garden", "had a little garden"))
            + f" {self.day()}, {h.he} found a small {colour} seed. {h.He} put it in the ground and gave it water. "
            + f'"Grow, little seed!" said {h.name}.',
            self.any(f"The next day, {h.name} ran to look. There was nothing.",
                     f"{h.name} sat down to watch it. Nothing happened.")
            + self.any(f" {h.He} sang a song for the seed. Nothing happened.",
                       f' "Why is it so slow?" {h.he} asked. "Good things take time," said an old {animal}.')
            + f" So {h.name} waited. The sun came, and the rain came. Every day {h.he} gave the seed some water.",
            f"And then, one morning, there was a {plant} as big as a {size}! "
            + self.any(f"All the friends came to see it, and a {animal} wanted to live in it.",
                       f'"Maybe that was too much water," said {h.name}.')
            + " " + self.any(f"{h.name} was so happy. {h.He} learned that good things take time.",
                             "If you can wait, small things can become big."),
        ]

    def windy_hat(self):
        h, colour = self.anyone(), self.rng.choice(COLOURS)
        return [
            self.owns(h, f"{colour} hat").replace("best toy", "best hat")
            + f" {self.day()}, {h.name} went for a walk in the hat. Then the wind came and took it! "
            + "The hat flew up, up, up, into a tall tree.",
            f'"Come back, hat!" said {h.name}. But the hat did not come back. '
            + self.any(f"{h.name} climbed up the tree to get it.", f"So {h.name} went up the tree, very slowly.")
            + f" In the hat sat a bird with three little eggs. "
            + self.any('"What a nice nest," said the bird. "It is so warm."',
                       '"Thank you for the house," said the bird.'),
            f"{h.name} thought about it. {h.He} loved the hat, but the bird needed it more. "
            + self.any(f'"You can keep it," {h.he} said.', f'"It looks better on you," {h.he} said.')
            + " Soon there were three little birds in the hat. Every morning they sang a song "
            + f"for {h.name}. " + self.any("When you give something away, you may get a song.",
                                           f"{h.name} was happy, because giving is better than having."),
        ]

    def race(self):
        h, f = self.rng.sample(ANIMALS, 2)
        prize, its_name = self.any(("a big cake", "cake"), ("a bag of cookies", "cookies"), ("a pot of honey", "honey"))
        return [
            self.meet(h, "could run very fast" if h.what != "frog" else "could jump very far")
            + f" {self.day()}, there was a big race in the forest. The winner would get {prize}. "
            + f'"I will win!" said {h.name}.',
            f"One, two, three, go! {h.name} was the first of all. But then {h.he} heard a cry. "
            + f"{f.name} the {f.what} fell into "
            + self.any("the mud", "a hole") + f" and could not get out. {h.name} looked at the end of the race. "
            + f"It was so near! But {h.he} turned around and helped {f.name}.",
            self.any("They came in last, hand in hand.", "They walked to the end together, and they were the very last.")
            + f" But all the animals clapped for {h.name}. "
            + (f"The winner was so surprised that he shared the {its_name} with them. " if self.rng.random() < 0.5
               else f'"You are the real winner," they said, and gave {h.him} the {its_name}. ')
            + self.any("Being kind is better than being first.",
                       f"{h.name} learned that a friend is better than a prize."),
        ]

    def going_home(self):
        h, animal = self.child(), self.any("duck", "bunny", "mouse", "bear")
        sound = {"duck": "quack", "bunny": "sniff", "mouse": "squeak", "bear": "grr"}[animal]
        place, _ = self.place()
        return [
            f"{self.day()}, {h.name} went to {place} with {h.his} " + self.any("mom", "dad") + ". "
            + f"There {h.he} saw a baby {animal}. It was all alone. "
            + f'"Are you lost?" asked {h.name}. "{sound.capitalize()}," said the baby {animal}, and that was a yes.',
            self.any(f'"Do not be sad," said {h.name}. "We will find your mom."',
                     f"{h.name} wanted to help, so {h.he} took it by the hand.")
            + f" They asked the cat, but the cat was asleep. They asked the frog, but the frog only said hello. "
            + f'Then they heard a loud "{sound.capitalize()}!" It came from behind a big tree.',
            f"It was the mom! The baby {animal} ran to her, and she gave it a big hug. "
            + self.any(f"She gave {h.name} a hug too.", f'"Thank you, {h.name}," she said.')
            + " " + self.any(f"Then {h.name} went home and gave {h.his} family a hug, because home is the best place.",
                             "Nobody is lost when somebody helps."),
        ]

    def messy_room(self):
        h, thing = self.child(), f"teddy {self.any('bear', 'bunny')}"
        parent = self.any("mom", "dad")
        return [
            self.meet(h, "did not like to clean up")
            + f" {h.His} room was full of toys. There were books on the bed and socks on the lamp. "
            + f'"Please clean your room," said {h.his} {parent}. "Not now," said {h.name}.',
            f"That night, {h.name} could not find {h.his} {thing}. "
            + f"{h.He} could not sleep without it. {h.He} looked in the box. There was a cake from last year. "
            + self.any(f"{h.He} looked under the bed. There was only a very happy mouse.",
                       f"{h.He} looked under the books. There was only a sock, and it did not smell nice."),
            f"So {h.name} began to clean. {h.He} put the books here and the toys there. "
            + f"And under the last sock, there it was! {h.name} hugged the {thing}. "
            + self.any(f'"What a nice room!" said {h.his} {parent}. "Who lives here?"',
                       f"{h.His} {parent} was so surprised to see the floor.")
            + " " + self.any(f"{h.name} learned that things are easy to find in a clean room.",
                             f"From that day on, {h.name} cleaned up every day. Well, almost every day."),
        ]

    def story(self):
        plot = self.any(self.lost_toy, self.lost_toy, self.sharing, self.stuck_animal, self.broken_cup,
                        self.never_give_up, self.night_noise, self.cake, self.seed, self.windy_hat,
                        self.race, self.going_home, self.messy_room)
        return "\n".join(plot())


def stories(count, seed):
    """`count` stories; the same ones again for the same seed."""
    teller = Teller(random.Random(seed))
    return [teller.story() for _ in range(count)]
