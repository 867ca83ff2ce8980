/** Model that is inside this program. */
export const knownModel = "all-MiniLM-L6-v2";

/** Lowest cosine with the float model's vectors that weights of eight bits leave. */
export const minKnownCosine = 0.98;

/** Texts and the vectors that the float32 original gives them: base64 of little-endian float32, of length 1. */
export const knownVectors: readonly { readonly text: string; readonly vector: string }[] = [
  {
    text: "The gripper at station three did not close, the robot is waiting.",
    vector:
      "jkZ2PK/Bar2UJIu7gBNEu7TODD07eAa9fFmoPKI2KTv7bk8911rRPNvUnD036Aq8efaXuk11E73lszC7dBgcvNk4XL1zj4i9UjYEPZDNjT0Mg6" +
      "I8eLJuPQCVJj2EddC6EwhavUBq3D0m5iO9xUpJvZvwXzyqBZa8lfv9vY220Lt5Hhu9kXybve2W3z34E4Q9z5yXvC+lt7zC8uM8xA2UPRr6sjwc" +
      "pbK8sKq8vGR5nby9VjY9axCuPfk2GrzE+pW9QFPkPQZlwLy8u429CAMzvfMYkj3Y8o68dwGtPNFecr0EwKw9OeKLvCACyjww6Ne6qTI5PNK/kr" +
      "wxIMq8HHU2O7SAsz2n/xy9s+aavcedI76JTBY8f65xPa2fIz2O7zi73lrPvHkOQT1Jt4+8RzlrvG3TxDzaa049x0aZPBnoibsvDye9SIW0vWyI" +
      "3by8/9c9bI6evWryK7qLioQ9mpZzvOU5tbzNh0U9EeMavW0pjT22FcK9ExBHPXXWtb2secO8foyxu5GTqT1EvKe9JvYOvMioND15DoI9HSsfvd" +
      "nUtLwQ+ti8vjxjvGADC72znZ+9DDogvCpPwTyVvYs8gY2evcbEILzNv2c9jX1AvIMGQj1lAg69QwnMPERuhT2nJQE9SINwPIBuDb17lDc7UD5h" +
      "upOtUjycWxe74uHVPY84yInSaBC9FlsDvuMGyLwswpk7Q+2Wu9GSgbvVXC+9s7Uku8Cp2zueawE95OShO64Gg70dV3C8KfFOvUUQsbz7aj697C" +
      "+aPZ2FM7ywz8C8YotdPXUY5T2RfBU9T9yKvboOHT22bnW8FAyuPXnMg70MHT69pTfRPWMmODwnpYy9cZQXPXYQdz220+w9cocXve6gdrzK0QU9" +
      "X6yJvd6wvr2Ynbu9I6Eyvbc1WbzcD1u9M8rMvA61l7vCYPW9N1pZPQIyb70Xwi28FIKRvFzcDj1XYCo9Wqm3PDzvgD1+rPs82LxTvGeYl7ycL8" +
      "Q9bkWqve8zgDzraEm8+/7lPP+0gj0k3wG9ROJmPYUpRzwMy/k8Cj5HPCICNj3BdsU9LvAJvfMJXL1la/U7neCwPDzm5jzLK8c8wy2GvVOln7w9" +
      "hIE8gkBevFJfqD2bYDW9zSH4O9bcFTty8AS9ur1cvA16oj1FBSM9zfh8O+la3jwrkd+9q7cAuyb5fr0NSeU9bRSMvUMuLQnxhoA7lKguvamU/T" +
      "n1R0e7juyevYwjUbyGPoy9ntE3vRTzZb1ebZG7QJB2Pa/Hl7xSI9w8N7G2PaEaPjucvZ09qw+UPZ1X+bsxOze9XDgpPfRSpj2T+9W8A2hrvNTQ" +
      "2j2RnIK9wK05PWm457yzdZ+9E7RxvZHdAzue1zw7s9OuvY+fIj31uMI8+HpCPZv+MzxOsHu9qnSAPU9b+jwTXdC7SkqKPSf9Ej2U5dY75OJ1u1" +
      "88gT1U7aO9L6wOPTF6ZD3tJX48VSyEPXjuer1B53+93LlfPafLmLuFx2o8NL8pvDz5ID0pz8W9Tv60PHYzSL1Ig9w8izOFvG0yOz2ACDw8/b+L" +
      "PMD1Oj0YX1w9V/+XPchtrT3mYia9qIZxPY6wtz2J3OQ92JPoPMr4FD3Aw849UBaKvcMVprzNyWQ8r1aqvTOAoTy/0mg9hGUwvbuqbj2GnCe99N" +
      "PbPWfYJz2GNTG8NATjvMFP47wv1TI8iEZJPbiPkj3gMgE9oEiovaZzorLb6rk81623PaSstD1qsDm9GOz7PDQRn7y8/la8R/ilvBNLaL27izI9" +
      "nnI1vEDX3rylww69l/ojPex9XD3XTH87XXh+POAXc70+vls8YRCDvXr4aTuieaq9G/6MPfd5Dr0Mplu89O2YPBcwp72vZ5290jTxvLX1hrySjh" +
      "o9CF5nvQiiR71CBoY7ZN9KvHpFjz2S0SE8rwI6vM4JWbw9sPE7NEEEPBD5Hz2Eb8e8LfAuO65MarxXU/S6ucFFvUp1L71f75695lgqvbdELbvQ" +
      "5lW9iqyTvD3EkT29RJo99mNavZwiAL2L+Ru9GsNQvUWXIj1i1MK9Z24IvWOByL1na1g9",
  },
  {
    text: "AGV 5 is low on battery and heads back to charge.",
    vector:
      "4GwCvcEGx7xT/+o84qVoPbTezD0ZSR29gSi7u9Hq07yd+FA9kPvBPZXVKz11+6Y8CYyBvXN9fD1qG+m8KY7tvD206zyScDK9IsvQvWJFAb1oAS" +
      "y8D4o4vT6xSD1Dxli9xOMMPa6iqrxjzSm9fTatOxrRkr0gzIW97oZmvUtnJzxtFU49YoVmujyn87x9gTM9VFg2vZHr2j1ID5G8RK+EveHlhjzm" +
      "TGu8BBOxOjbY8bwGDUi8JF2BPatXG7139j29RT+nPXe3gzzImCQ9VwxovdAot72cbNG9dejMveK4x7xMy5q8bgupvIhbDD31w4u905sruw/B47" +
      "xgj1+9TboAvHvVEL1gE588BtyRPV870rxUase9jO65u58aTT0r9BM9sN+DvLxRCLwYNFg8d06IPEg11zzKRdO8VgPjPTsVBz3x1/e8LVzEPIgy" +
      "Kr1uYB49QgHRO9Yvabz3l9o8ms79u5bNWTv2ZN28+JjmvO9sJT3b/H08oVfxvPpJYr0PaXw9CUIePK27F72j/EO9Udr/PDMsrT1lAbI879HAu4" +
      "mpJTzJT5e8cdIGvXUMED0vryE9q9JuvTD+b7wUdHI9BlP0u4hsoLy5Fu+7DgMlvEdWjD0z4Qm+bO4JvQuosTzhw7C904SZvJGOxzwbcQc9EzMY" +
      "vUZfGLzd2dS8BMijPfOezgcx+8e8eE6BvXeFXbrkLBO9bp21vMc+37sQ9pI8mR0GPfKK0LxsLaI9Cfj5u6yKVzwB7kI9HUeEvKZ50Dz1dhC9SI" +
      "NzPO7owjyJ6py81NG0vLiagD33ICa9ojTfPCt0gj1GMqU9rACOPWPkAz0SOVC7x5UuPXoaHDtJ+6I7pL9EPVdTKLwUjPS8kTA7vHicwz3OsRg8" +
      "a/5VPe4aIjwaluC7ExFfPX5Ahj3y7LK98qqJPTmtoLzqE5e92hXBvOBxPr0/hZ29t24DPnDvXr0P+VS9B4p2PW+bjD35YtW8q/KGPcc0uLxnrQ" +
      "094nqlvU3gLTyiMtw9zF6JvCgYKr3owo29qSaIvZNGxDygtk+8f0/IPNiV17xXqjU9kIzBPbwdvT3t6Q49POqyO0hEibzrKqY9dbn3vIEcfbzs" +
      "W3q9m1cQvSM1ib34CKG9VWshvA5WOz2BToK8VKaTPC0rfb3cbr28IZBDvW0XfLx7SAw9jqXZvJmkWj2ABpy86/w6Pculk4h/yO88gr6FvKHONL" +
      "xXtEg9ZWslvCfFxjxr95a8hssJPc6Gs726Im89qG10vYeMzD3h7K+8sCKbPZIclT19jb+8zDCuPApk5TuPS+M9Hfa7PWghi7yxk/k9jmuQPQqq" +
      "yTzgmMo90GHivI32qbsvzyM9sipsPFY9obx2W7E9JU6kvJcrZzwcLC88ziEYOqAFPDsjt/E8ER2EO4dtob35xOE8ifyvO2xwlj0I5Lw7WGJmPP" +
      "tZjL1S0FO6AUEavM3kMz2mwDY9CzLAPExrSr3OfAW+vVHCPJkGgj1YOFm9nTTjPDK7ET5vELk9ldEPvpij4byjCZI9IFZEvc5nHz3pjLC9uPlT" +
      "PfGGWD1Xwjc9Zd29PToCujwlIrW7DaNHvfqvwTzCP2E9tSthvc9lsLwbmiM97wwbvdSuqrv9USk8sn8Avh+cOT2Nn129lgubvdk7rrwi5qO9nw" +
      "oAvWPbBT0g91k9PLkUPCzuxj2Sa/C93SUTvYJUkrxWZQI+w1oNvs0hnbIDa+m7x5vAPX8kUz3p+k0700sFO7PR5DuEqJw7oJS0vO7orztDQPe8" +
      "LS8LvTj7c71ml5o8TT3TPFFrkD0RPWo8VaItu3czYD3ybHO8nwuOvVWP8L02hay8fX18vaVmeLl5T2Y815mNvF+SAD3ktOK8/Js9PXiCJ75722" +
      "+9GgrFPTUClDxV9Ce9vBLCvP6M1DxB+Fw8ju6FvajJaD2CgSu9IpkKPbSvRr2EXBe9B79TvUHvKb0ZmZM7QUrJPd4Bmb0hQOg7mULgO5RFKb1s" +
      "GwM9mONGvVHsezwNuIk7JTmYvLhRvDvaxOq872joPKySxTydeTk9ULxZvWqGcbxGJY88",
  },
  {
    text: "ロボットアームが二番ステーションで停止しました。",
    vector:
      "1csGvEhYZT3Jygq9LIHOvVl1vL2hwsw8T7B2Pcanlz0Bx+y8tWBMvSZOTz3Fd/e8CWKaPew78zyx60W9EzmnvdOXh7n8hjM9GuMCPDvJ4LxIDG" +
      "47lhhDvT9Ywz0CC/a7mWQVvPX8qz27VDA992MhPBpNwT3ESFE9UKDKPHdjhzxi26m7RQyCvbMQ4LydTny9xJ4FvVq79rydYPg8uDcUvRdTu70A" +
      "pkO9F8x+u/lBg72Ii4U8zdGyu8wkkb1xBoc8+zGoPCZb57wiPlg9JoZGvbFQqbwKOlg9B1sLPLzYK70WbTC8/D2uO98+w7xUola9gJ/QPFQJ2r" +
      "wnB7Y8sR6zvMWwGbyDwxi58REtvAhwOT1OjSC9WwJ3vFXAxLsW08W8k3GKPQ2iML0piVu92pNOvCNs7Dv1a4Q9ofAcvCfL7LyKVJc8CW6bvKw5" +
      "Rj3UPVA9FptgvG2DKj0jTgs7YK6wPWK7nLwo7mM9DRehve7IGbwmfUY8cejZvYEvEr6fJSm8+xrcvCc+ALzdJa68E/HDvDUjbTw8RyI9FdOtPW" +
      "pGS73KHwe+YX00PW47KL0otl+8URLZPdXzwzvS2MW82tEQvcxPWL1dkae9YL33vFxnxDzfLEQ9c4wAvS6QDb02pSU8v8IOPH1aLz0I9f27H8ll" +
      "uhY3l71xgxw95LnEPTYDbglThXi9Np+VvFmc6rytL/O8DJ1GvQgV47wioPu8q+ZXPVXpOr3TAkI7cJ6LvJskUDzTiDc7bSOevc8gJD3WnVw8HT" +
      "PqPDBorbzSBfo9vpUzvav8oDxXZkS9NAy/upO6JD1TKRM91IoHu9TX/rwr1Pe5nWpVOyTlLT2rFsi8hkgSPMInTL13h/c8MIOdvQ4+k70baeQ9" +
      "CbDWPPiQzj1vP8S8U3mEPfoRub2hcHq9nVm2PKRNaj21O/g8QAQ+PRpJZL3+hTc7eWiEPfedPr3g4uK7Q/1evSnhoj2OPIE9FUCGvBbSIj1k6E" +
      "A9Lu6PvfM8kzw8jr08XRbNPM06c73BnzE9KLt7vVxiLL3G4Mk8t27zvCRXg73Asua7SImlvfXzbbzHSrw9yqUJPecSkL1rU4K8TrLqvD04pju4" +
      "MM67AjpHu6S6mbwtoRC9SZ6aO5bTgb1wLlQ9P3OLPer1Orx3ubi9ja3yu5gr7zu2Ya28BSs0vem+jT1LYAk+DC+APHewzIkm6Tu9Hw03PcXLi7" +
      "1hM369WX80vWxLiTyu2GU8apvtPB/KL7yj7oK6bjJROhfArTxTFPK8XQbyPBf5F71b8A89MIkXOxgOjz0J5R49/FkXvY8dSz1dTl29I0mQvcZg" +
      "lz1A4ho8faFHPa8xqD1OKWO76aaUPVyVfD37Kwa9xiQnvWhmvz0+GwE+xmVNvBoZjL2wM089RI90vaySzbtGxlM9yWmaOl35UD3kUBA7maGpPd" +
      "Izz7yXtAw9fZirvWX2jDw79CU8GM+IvdsFcz3+zQA9h/MXPb4OKL1sQ8m8hSpWPaqNCLwrOQO95qjAPIKJmj2+A7u8GuB8O5gLT7yiDm89gKo7" +
      "PSosK70+PJk8G/JVPKCXnLzo6zG7o5DmPQg7IL2dpAu82OOPPQbw2byjUga9DozaPJoDBzy57So9hHIFvV6rfr0yx6E9S6WcujkK5701LSG7DL" +
      "WVvLvkob2dK289B8uZO4YLlL2td0A9/L0iPliipDuYAny9p1NfPQrImrIkgs28AWAOvt6A5rwd5Me9J/q/PfwXiL2i0Gq85VxUPUtGuLyZTeC9" +
      "YSv7PCgWsjyTSbu9Sqf3Pa8JOTwM1uA8L89vPWwZej12vnE7Jv8cvA2o2z3DM3i843EGPflxi70cYqW9J4YwPOmLG73gwb09gu9RvfN7VjxEET" +
      "q9rlwTPfnVgr2TQJU8KuuqvfFLgzylmho9v/3KPZTAc70Es/Q8vMj4PEU+Hr1JH9m8/JlevGMFzDyjMMA8EDMBPX9P3bzY+i097xK9vNN+qL2K" +
      "bUI98VlIPEfSIb1ws7i9LwqDPYWdBr0vUBw9X3H/PZB1AT2XN1i8aMS8PXjfQb3pXYu7",
  },
];
